//! The operations on classification jobs.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};

use super::super::{
    Macie, criteria,
    job::{self, Job},
};
use crate::doubles::{Answer, ApiError, hex_id, page, required, strings, text, without_nulls};

/// Jobs that one ListClassificationJobs gives.
const MAX_JOBS: usize = 200;

impl Macie {
    pub(super) fn create_job(self: &Arc<Self>, body: &Value) -> Answer {
        let mut state = self.lock();
        if let Some(interval) = state.create_interval {
            let now = Instant::now();
            if state.last_create.is_some_and(|last| now.duration_since(last) < interval) {
                return Err(ApiError::new(429, "ThrottlingException", "Rate exceeded"));
            }
            state.last_create = Some(now);
        }
        if state.session.as_ref().is_some_and(|session| session["status"] == "PAUSED") {
            return Err(ApiError::new(403, "AccessDeniedException", "Macie is paused."));
        }
        job::check(body)?;
        for name in ["customDataIdentifierIds", "allowListIds"] {
            if let Some(unknown) = strings(&body[name]).iter().find(|id| !state.own_identifiers.contains(*id))
            {
                return Err(ApiError::validation(format!("{name}: there is no {unknown}")));
            }
        }
        if let Some(job) = state.jobs.iter().find(|job| job.request["clientToken"] == body["clientToken"]) {
            if job.request != *body {
                let message = "the client token has been used for a job with other parameters";
                return Err(ApiError::new(409, "ConflictException", message));
            }
            return Ok(json!({"jobId": job.id, "jobArn": job.arn}));
        }
        let id = hex_id();
        let arn = self.job_arn(&id);
        state.tags.set(&arn, &body["tags"]);
        state.jobs.push(Job::new(id.clone(), arn.clone(), body.clone()));
        let forced_error = std::mem::take(&mut state.fail_next_job);
        tokio::spawn(job::run(self.clone(), id.clone(), state.pace, forced_error));
        Ok(json!({"jobId": id, "jobArn": arn}))
    }

    pub(super) fn describe_job(&self, id: &str) -> Answer {
        let mut job = self.with_job(id, |job| job.describe()).ok_or_else(|| no_job(id))?;
        job["tags"] = self.lock().tags.of(&self.job_arn(id));
        Ok(job)
    }

    pub(super) fn update_job(&self, id: &str, body: &Value) -> Answer {
        let wanted = required(body, "jobStatus")?;
        self.with_job(id, |job| job.change(wanted)).ok_or_else(|| no_job(id))??;
        Ok(json!({}))
    }

    pub(super) fn list_jobs(&self, body: &Value) -> Answer {
        let filter = &body["filterCriteria"];
        for term in ["includes", "excludes"].iter().flat_map(|kind| filter[kind].as_array()).flatten() {
            if !matches!(term["comparator"].as_str(), Some("EQ" | "NE" | "CONTAINS" | "STARTS_WITH")) {
                return Err(ApiError::lacking(
                    "filters of Macie jobs other than EQ, NE, CONTAINS and STARTS_WITH",
                ));
            }
        }
        let holds = |job: &Value, term: &Value| {
            let value = text(&job[term["key"].as_str().unwrap_or_default()]);
            let wanted = strings(&term["values"]);
            match term["comparator"].as_str() {
                Some("NE") => !wanted.contains(&value),
                Some("CONTAINS") => wanted.iter().any(|wanted| value.contains(wanted)),
                Some("STARTS_WITH") => wanted.iter().any(|wanted| value.starts_with(wanted)),
                _ => wanted.contains(&value),
            }
        };
        let terms = |kind: &str| filter[kind].as_array().cloned().unwrap_or_default();
        let (includes, excludes) = (terms("includes"), terms("excludes"));
        let mut jobs: Vec<Value> = self.lock().jobs.iter().map(Job::summary).collect();
        jobs.retain(|job| {
            includes.iter().all(|term| holds(job, term)) && !excludes.iter().any(|term| holds(job, term))
        });
        criteria::sort(&mut jobs, &body["sortCriteria"]);
        let page = page(jobs, body["maxResults"].as_u64(), body["nextToken"].as_str(), MAX_JOBS)?;
        Ok(without_nulls(json!({"items": page.items, "nextToken": page.next})))
    }
}

fn no_job(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no classification job {id}"))
}

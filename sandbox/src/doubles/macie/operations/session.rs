//! Whether Macie is on, and the template of automated discovery.

use serde_json::{Value, json};

use super::super::{Macie, State, keys};
use crate::doubles::{Answer, ApiError, now};

/// The only template that an account has.
const TEMPLATE: &str = "automated-sensitive-data-discovery";

impl Macie {
    pub(super) fn enable(&self, body: &Value) -> Answer {
        let mut state = self.lock();
        if state.session.is_some() {
            return Err(ApiError::new(409, "ConflictException", "Macie has already been enabled"));
        }
        let at = now();
        state.session = Some(json!({
            "status": body["status"].as_str().unwrap_or("ENABLED"),
            "findingPublishingFrequency": body["findingPublishingFrequency"].as_str().unwrap_or("FIFTEEN_MINUTES"),
            "serviceRole": keys::service_role(&self.home.account),
            "createdAt": at,
            "updatedAt": at,
        }));
        Ok(json!({}))
    }

    pub(super) fn update_session(&self, body: &Value) -> Answer {
        let mut state = self.lock();
        if let Some(session) = &mut state.session {
            for name in ["status", "findingPublishingFrequency"] {
                if !body[name].is_null() {
                    session[name] = body[name].clone();
                }
            }
            session["updatedAt"] = json!(now());
        }
        Ok(json!({}))
    }

    /// Macie forgets jobs and findings when it is disabled.
    pub(super) fn disable(&self) -> Answer {
        let mut state = self.lock();
        for job in &mut state.jobs {
            // A run that is over already has nothing to cancel.
            let _ = job.change("CANCELLED");
        }
        let (pace, create_interval) = (state.pace, state.create_interval);
        *state = State { pace, create_interval, ..State::default() };
        Ok(json!({}))
    }

    pub(super) fn list_templates(&self) -> Answer {
        let on = self.lock().template.is_some();
        let template = on.then(|| json!({"id": TEMPLATE, "name": TEMPLATE}));
        Ok(json!({"sensitivityInspectionTemplates": template.into_iter().collect::<Vec<_>>()}))
    }

    pub(super) fn template(&self, id: &str) -> Answer {
        let template = self.lock().template.clone().filter(|_| id == TEMPLATE);
        let mut template = template.ok_or_else(|| {
            ApiError::new(404, "ResourceNotFoundException", format!("there is no template {id}"))
        })?;
        template["sensitivityInspectionTemplateId"] = json!(TEMPLATE);
        template["name"] = json!(TEMPLATE);
        Ok(template)
    }
}

//! Versions that policy would take along without anybody having looked at them.

use cordon_domain::{
    case::{Case, Decision, known_cases::is_left_by_person},
    finding::{ObjectVersion, real_version},
    policy::Versions,
};

use crate::{
    app::clients::Clients,
    aws::object_session::Place,
    error::{Error, Result},
};

/// Where an object has more versions than these, a person is asked before all of them are moved.
pub(crate) const MAX_VERSIONS: usize = 100;

/// Why policy does not move all versions of a case's object by itself: in some nothing was found, or a person has left
/// them where they are. Somebody who writes a sensitive text over an important object would have that object removed otherwise.
///
/// # Errors
/// As classified, where asking again may help.
pub(crate) async fn why_not(clients: &Clients, case: &Case) -> Result<Option<String>> {
    if case.plan.effect.versions == Versions::Reported {
        return Ok(None);
    }
    let place = Place::of(case.object());
    let listed = async {
        let mover = clients.movers.open(&place, &case.case_id).await?;
        mover.list_object_versions(&place).await
    };
    let versions = match listed.await {
        Ok(versions) => versions,
        Err(error @ Error::Retryable(_)) => return Err(error),
        Err(_) => return Ok(Some("versions = all, and they cannot be listed".into())),
    };
    let bytes: Vec<_> = versions.iter().filter(|version| !version.is_delete_marker).collect();
    if bytes.len() > MAX_VERSIONS {
        return Ok(Some(format!("versions = all, and there are {}", bytes.len())));
    }
    let mut unseen = 0;
    for version in &bytes {
        let object = ObjectVersion {
            version_id: real_version(Some(&version.version_id)),
            etag: version.etag.clone(),
            ..case.object().clone()
        };
        if object != *case.object() {
            unseen += usize::from(is_unseen(clients, &object).await?);
        }
    }
    Ok((unseen > 0)
        .then(|| format!("versions = all, and {unseen} of {} have no finding of their own", bytes.len())))
}

/// Whether nothing was found in an object version, or a person has left it where it is.
///
/// # Errors
/// As classified, where asking again may help.
pub(crate) async fn is_unseen(clients: &Clients, object: &ObjectVersion) -> Result<bool> {
    let case_id = object.case_id();
    let Some(known) = clients.cases.get(&case_id).await? else { return Ok(true) };
    let made_by_restore = clients.cases.original_of_restored(&case_id).await?.is_some();
    // A decision counts from when it is on record, and not from when its execution has ended.
    Ok(is_left_by_person(&known, made_by_restore) || known.decision() == Some(Decision::Dismiss))
}

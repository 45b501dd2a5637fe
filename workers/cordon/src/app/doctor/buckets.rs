//! Buckets that cannot be acted on, and why.

use aws_config::SdkConfig;
use cordon_domain::policy::scope::BucketScope;
use futures::{StreamExt, stream};

use super::Check;
use crate::aws::buckets::{is_refused, names, obstacles};

const NAME: &str = "buckets";
/// How many buckets are looked at at once.
const CONCURRENCY: usize = 8;
/// How many names a sentence has.
const NAMED: usize = 5;

/// Whether any bucket is protected.
pub(super) fn protected(scope: &BucketScope) -> Check {
    const NAME: &str = "protected_buckets";
    match scope.protected.len() {
        0 => Check::warning(
            NAME,
            "no bucket is protected: objects of Terraform's state, CloudTrail and the like may be moved",
            "name such buckets in Terraform's protected_buckets, or take what is usual out of unprotected",
        ),
        n => Check::ok(NAME, format!("nothing is moved from buckets that one of {n} globs matches")),
    }
}

/// Looks at every bucket of the Region; `tell` gets each obstacle as it is found, `progress` how many of how many are done.
pub async fn examine(
    aws: &SdkConfig,
    region: &str,
    account: &str,
    scope: Option<&BucketScope>,
    tell: &mut dyn FnMut(Check),
    progress: &mut dyn FnMut(usize, usize),
) {
    let (client, kms) = (aws_sdk_s3::Client::new(aws), aws_sdk_kms::Client::new(aws));
    let names = match names(&client, region).await {
        Ok(names) => names,
        Err(error) => return tell(Check::unanswered(NAME, &error)),
    };
    let of = names.len();
    let mut looks = stream::iter(names)
        .map(|name| {
            let (client, kms) = (&client, &kms);
            async move { (obstacles(client, kms, &name, account).await, name) }
        })
        .buffer_unordered(CONCURRENCY);
    let (mut done, mut in_the_way, mut unseen, mut why) = (0, 0, Vec::new(), None);
    while let Some((found, name)) = looks.next().await {
        done += 1;
        progress(done, of);
        match found {
            Ok(found) => {
                if let Some(glob) = scope.and_then(|scope| scope.protecting(&name)) {
                    tell(Check::ok(
                        NAME,
                        format!("{name} is protected (by {glob}): nothing is moved from it"),
                    ));
                }
                in_the_way += usize::from(!found.is_empty());
                for obstacle in found {
                    tell(Check::warning(NAME, name.clone(), obstacle));
                }
            }
            Err(error) => {
                unseen.push(name);
                if why.as_ref().is_none_or(|earlier| is_refused(earlier) && !is_refused(&error)) {
                    why = Some(error);
                }
            }
        }
    }
    if let Some(why) = why {
        unseen.sort();
        let more =
            if unseen.len() > NAMED { format!(" and {} more", unseen.len() - NAMED) } else { String::new() };
        let which = format!("{}{more}", unseen[..unseen.len().min(NAMED)].join(", "));
        tell(Check::unknown(
            NAME,
            format!("{} of {of} could not be examined ({which}): {why}", unseen.len()),
            "run `cordon doctor` with credentials that may read the settings of buckets",
        ));
    }
    let examined = of - unseen.len();
    if examined > 0 || of == 0 {
        tell(Check::ok(
            NAME,
            format!("{examined} of {region} were examined; in {in_the_way} of them something is in the way"),
        ));
    }
}

//! The account and the services that Cordon asks.

use aws_config::SdkConfig;

use super::Check;
use crate::{
    aws::{
        access_analyzer::{self, Analyzer},
        macie::Macie,
        security_hub::client::SecurityHub,
        sts,
    },
    config::{DoctorConfig, Installation},
};

/// Whose credentials these are; `None` where that ends the look.
pub(super) async fn credentials(
    aws: &SdkConfig,
    config: &DoctorConfig,
    tell: &mut dyn FnMut(Check),
) -> Option<String> {
    const NAME: &str = "credentials";
    let caller = match sts::caller(aws).await {
        Ok(caller) => caller,
        Err(error) => {
            tell(Check::failed(
                NAME,
                error.to_string(),
                "see that the credentials are valid, and that sts.amazonaws.com of the Region can be reached",
            ));
            return None;
        }
    };
    let wanted = config.installation.as_ref().map(|installation| &installation.account);
    if let Some(wanted) = wanted.filter(|wanted| **wanted != caller.account) {
        tell(Check::failed(
            NAME,
            format!("they are of account {}, and Cordon runs in {wanted}", caller.account),
            "choose others with AWS_PROFILE",
        ));
        return None;
    }
    let of = |installation: &Installation| installation.analyzer_arn.split(':').nth(3).map(str::to_owned);
    let region = config.installation.as_ref().and_then(of);
    if let Some(region) = region.filter(|region| *region != config.region) {
        tell(Check::failed(
            NAME,
            format!("the Region is {}, and Cordon runs in {region}", config.region),
            format!("set AWS_REGION={region}"),
        ));
        return None;
    }
    tell(Check::ok(NAME, format!("{} in account {}, Region {}", caller.arn, caller.account, config.region)));
    Some(caller.account)
}

pub(super) async fn macie(aws: &SdkConfig, tell: &mut dyn FnMut(Check)) {
    const NAME: &str = "macie";
    let mend = "turn it on: modules/activation does, or `aws macie2 enable-macie`";
    tell(match Macie::new(aws_sdk_macie2::Client::new(aws)).session().await {
        Ok(None) => Check::failed(NAME, "Macie is off in this Region, so nothing is found", mend),
        Ok(Some((false, _))) => Check::failed(
            NAME,
            "Macie is suspended in this Region, so nothing is found",
            "resume it: `aws macie2 update-macie-session --status ENABLED`",
        ),
        Ok(Some((true, frequency))) if frequency == "FIFTEEN_MINUTES" => {
            Check::ok(NAME, "on, and it updates findings every 15 minutes")
        }
        Ok(Some((true, frequency))) => Check::warning(
            NAME,
            format!(
                "on; new findings come at once, and updates of known ones only every {}",
                frequency.to_lowercase().replace('_', " ")
            ),
            "for sooner updates: `aws macie2 update-macie-session --finding-publishing-frequency FIFTEEN_MINUTES`",
        ),
        Err(error) => Check::unanswered(NAME, &error),
    });
}

pub(super) async fn analyzer(
    aws: &SdkConfig,
    config: &DoctorConfig,
    account: &str,
    tell: &mut dyn FnMut(Check),
) {
    const NAME: &str = "analyzer";
    let analyzers = match access_analyzer::analyzers(&aws_sdk_accessanalyzer::Client::new(aws)).await {
        Ok(analyzers) => analyzers,
        Err(error) => return tell(Check::unanswered(NAME, &error)),
    };
    let wanted = config.installation.as_ref().map(|installation| installation.analyzer_arn.as_str());
    let found = match wanted {
        Some(arn) => analyzers.iter().find(|analyzer| analyzer.arn == arn),
        None => analyzers.iter().find(|analyzer| analyzer.finds_external_access()),
    };
    tell(match (found, wanted) {
        (Some(analyzer), _) => described(NAME, analyzer),
        (None, Some(arn)) if is_elsewhere(arn, &config.region, account) => Check::failed(
            NAME,
            format!("{arn} is of another account or Region than {account}, {}", config.region),
            "give an analyzer of this account and Region as analyzer_arn",
        ),
        (None, Some(arn)) => Check::failed(
            NAME,
            format!("there is no analyzer {arn}"),
            "give one that is there as analyzer_arn; `aws accessanalyzer list-analyzers` names them",
        ),
        (None, None) => Check::failed(
            NAME,
            "there is no external-access analyzer in this Region, so nobody knows what is shared with whom",
            "make one: modules/activation does, or `aws accessanalyzer create-analyzer --type ACCOUNT --analyzer-name cordon`",
        ),
    });
}

fn is_elsewhere(arn: &str, region: &str, account: &str) -> bool {
    let mut parts = arn.split(':').skip(3);
    parts.next() != Some(region) || parts.next() != Some(account)
}

fn described(name: &'static str, analyzer: &Analyzer) -> Check {
    let (arn, kind) = (&analyzer.arn, &analyzer.kind);
    if !analyzer.finds_external_access() {
        return Check::failed(
            name,
            format!("{arn} is of type {kind}, which does not find external access"),
            "give an analyzer of type ACCOUNT or ORGANIZATION as analyzer_arn",
        );
    }
    if analyzer.status != "ACTIVE" {
        return Check::failed(
            name,
            format!("{arn} is {}", analyzer.status),
            "see `aws accessanalyzer get-analyzer` for why, or make another one",
        );
    }
    Check::ok(name, format!("{arn} is active, of type {kind}"))
}

pub(super) async fn security_hub(aws: &SdkConfig, tell: &mut dyn FnMut(Check)) {
    const NAME: &str = "security_hub";
    tell(match SecurityHub::new(aws_sdk_securityhub::Client::new(aws)).is_on().await {
        Ok(true) => Check::ok(NAME, "Security Hub CSPM is on and takes findings"),
        Ok(false) => Check::failed(
            NAME,
            "Security Hub CSPM is off in this Region, so exposures are reported nowhere",
            "turn it on: modules/activation does, or `aws securityhub enable-security-hub --no-enable-default-standards`",
        ),
        Err(error) => Check::unanswered(NAME, &error),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Status;

    #[test]
    fn an_analyzer_has_to_find_external_access_and_to_work() {
        let of = |kind: &str, status: &str| {
            let analyzer = Analyzer { arn: "arn:x".into(), kind: kind.into(), status: status.into() };
            described("analyzer", &analyzer).status
        };
        assert_eq!(of("ACCOUNT", "ACTIVE"), Status::Ok);
        assert_eq!(of("ORGANIZATION", "ACTIVE"), Status::Ok);
        assert_eq!(of("ACCOUNT_UNUSED_ACCESS", "ACTIVE"), Status::Failed);
        assert_eq!(of("ACCOUNT", "FAILED"), Status::Failed);
    }

    #[test]
    fn an_analyzer_of_another_account_or_region_is_told_as_such() {
        let arn = "arn:aws:access-analyzer:eu-west-1:111122223333:analyzer/cordon";
        assert!(!is_elsewhere(arn, "eu-west-1", "111122223333"));
        assert!(is_elsewhere(arn, "eu-west-2", "111122223333"));
        assert!(is_elsewhere(arn, "eu-west-1", "444455556666"));
    }
}

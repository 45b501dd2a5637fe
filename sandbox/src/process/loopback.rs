//! Clients for what listens on this machine. A proxy of the caller's shell is for the internet: it is not asked here.

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// For plain HTTP requests.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("TLS starts")
}

/// For SDKs, whose default client would read the environment.
pub(crate) fn sdk_http() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
}

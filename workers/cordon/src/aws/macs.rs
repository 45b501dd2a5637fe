//! Message authentication codes that the worker's role alone can make and check, with an HMAC key of KMS. What carries one
//! was written by a worker, whoever else may write to the tables.

use aws_sdk_kms::{Client, primitives::Blob, types::MacAlgorithmSpec};

use super::error::classify;
use crate::error::{Error, Result};

/// The codes of one key.
#[derive(Clone, Debug)]
pub struct Macs {
    client: Client,
    key_arn: String,
}

impl Macs {
    /// With the key of this ARN, an `HMAC_256`.
    pub fn new(client: Client, key_arn: String) -> Self {
        Self { client, key_arn }
    }

    /// The code of a message of at most 4,096 bytes, in hex.
    ///
    /// # Errors
    /// As classified.
    pub async fn generate(&self, message: &str) -> Result<String> {
        let answer = self
            .client
            .generate_mac()
            .key_id(&self.key_arn)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(message))
            .send()
            .await
            .map_err(|error| classify("kms:GenerateMac", error))?;
        let mac = answer.mac.ok_or_else(|| Error::Retryable("kms:GenerateMac gave no code".into()))?;
        Ok(hex::encode(mac.as_ref()))
    }

    /// Whether there is a code, and it is that of the message.
    ///
    /// # Errors
    /// As classified.
    pub async fn vouches(&self, message: &str, mac: Option<&String>) -> Result<bool> {
        match mac {
            Some(mac) => self.is_valid(message, mac).await,
            None => Ok(false),
        }
    }

    /// Whether this is the code of the message.
    ///
    /// # Errors
    /// As classified.
    async fn is_valid(&self, message: &str, mac: &str) -> Result<bool> {
        let Ok(mac) = hex::decode(mac) else { return Ok(false) };
        if mac.is_empty() {
            return Ok(false);
        }
        let answer = self
            .client
            .verify_mac()
            .key_id(&self.key_arn)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(message))
            .mac(Blob::new(mac))
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.mac_valid),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_kms_invalid_mac_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(classify("kms:VerifyMac", error)),
        }
    }
}

//! A headless Chromium, driven by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>) through chromedriver.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use cordon_sandbox::child::Child;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::eventually;

/// The name under which WebDriver hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// What a headless browser needs where the tests run as root, and what keeps it from talking to anybody else.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,900",
];
const TIMEOUT: Duration = Duration::from_secs(60);

/// The browser with one window. [`Browser::quit`] ends it.
pub struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    /// Its profile, and the driver's log.
    _directory: TempDir,
}

/// An element of the page.
#[derive(Clone, Debug)]
pub struct Element(String);

impl Browser {
    /// Starts Chromium with an empty profile.
    ///
    /// # Errors
    /// When it or its driver is not installed or does not start.
    pub async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let environment =
            [("PATH", std::env::var("PATH")?), ("HOME", directory.path().display().to_string())]
                .map(|(name, value)| (name.to_owned(), value));
        let argv = ["chromedriver".to_owned(), format!("--port={port}")];
        let log = directory.path().join("chromedriver.log");
        let driver = Child::start("chromedriver", &argv, &environment, &log).await.context(
            "Chromium and its driver are missing: install them (Debian: apt-get install chromium chromium-driver)",
        )?;
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        let url = format!("http://127.0.0.1:{port}");
        eventually("chromedriver", async || {
            Ok(http.get(format!("{url}/status")).send().await.is_ok().then_some(()))
        })
        .await?;
        let profile = format!("--user-data-dir={}", directory.path().join("profile").display());
        let arguments: Vec<&str> = FLAGS.iter().copied().chain([profile.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}});
        let session = answer(http.post(format!("{url}/session")).json(&wanted)).await?;
        let id = session["sessionId"].as_str().context("a session has an id")?;
        Ok(Self { driver, session: format!("{url}/session/{id}"), http, _directory: directory })
    }

    /// Ends the browser and its driver.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn quit(mut self) -> Result<()> {
        answer(self.http.delete(&self.session)).await?;
        self.driver.kill().await?;
        Ok(())
    }

    /// Goes to a page and waits until it is there.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.post("url", &json!({"url": url})).await.map(drop)
    }

    /// Waits for the first element that an XPath names, and that is shown.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn find(&self, xpath: &str) -> Result<Element> {
        eventually(xpath, async || {
            for element in self.all(xpath).await? {
                if self.property(&element, "displayed").await.is_ok_and(|shown| shown == true) {
                    return Ok(Some(element));
                }
            }
            Ok(None)
        })
        .await
    }

    /// How many elements an XPath names now.
    ///
    /// # Errors
    /// When the browser does not say.
    pub async fn count(&self, xpath: &str) -> Result<usize> {
        Ok(self.all(xpath).await?.len())
    }

    /// Clicks an element, as a person does: it has to be visible and not covered.
    ///
    /// # Errors
    /// When it is not.
    pub async fn click(&self, element: &Element) -> Result<()> {
        self.post(&format!("element/{}/click", element.0), &json!({})).await.map(drop)
    }

    /// What a person reads in an element.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn text(&self, element: &Element) -> Result<String> {
        let text = self.property(element, "text").await?;
        text.as_str().map(str::to_owned).context("a text")
    }

    /// Takes a picture of the window.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        self.picture("screenshot", file).await
    }

    /// Takes a picture of one element.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn picture_of(&self, element: &Element, file: &Path) -> Result<()> {
        self.picture(&format!("element/{}/screenshot", element.0), file).await
    }

    async fn picture(&self, path: &str, file: &Path) -> Result<()> {
        let picture = answer(self.http.get(format!("{}/{path}", self.session))).await?;
        let bytes = STANDARD.decode(picture.as_str().context("a picture")?)?;
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
    }

    async fn all(&self, xpath: &str) -> Result<Vec<Element>> {
        let found = self.post("elements", &json!({"using": "xpath", "value": xpath})).await?;
        let found = found.as_array().context("a list of elements")?;
        Ok(found.iter().filter_map(|one| Some(Element(one[ELEMENT].as_str()?.to_owned()))).collect())
    }

    async fn property(&self, element: &Element, name: &str) -> Result<Value> {
        answer(self.http.get(format!("{}/element/{}/{name}", self.session, element.0))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        answer(self.http.post(format!("{}/{path}", self.session)).json(body)).await
    }
}

/// What the driver answers, or what it says is wrong.
async fn answer(request: reqwest::RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    let mut body: Value = answer.json().await?;
    if !status.is_success() {
        bail!("the browser says {}: {}", body["value"]["error"], body["value"]["message"]);
    }
    Ok(body["value"].take())
}

//! The whole of Ferry, running: emulator, deployed template, front door and a simulated org.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use org_simulator::{LoadReport, Seed, Simulator};
use serde_json::json;

use crate::deploy::{self, Deployment};
use crate::emulator::{self, Emulator, s3};
use crate::gateway::{self, Gateway, taken};
use crate::progress::Progress;
use crate::template::Template;
use crate::workspace::Workspace;
use crate::{functions, gaps};

/// The name under which the template is deployed.
pub const NAME: &str = "ferry";

const CODE_BUCKET: &str = "ferry-code";

/// How the stack is started. The default is for tests: free ports, and nothing happens by itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Port of the HTTP API; 0 takes a free one.
    pub port: u16,
    /// Port of the org simulator; 0 takes a free one.
    pub simulator_port: u16,
    /// Port of the AWS emulator; 0 takes a free one.
    pub emulator_port: u16,
    /// Where the emulator's and the functions' logs go; they are gone with the stack when `None`.
    pub log: Option<PathBuf>,
    /// Let the org send outbound messages by itself, rather than when told to.
    pub send_outbound_messages: bool,
    /// Parameters of the template that are not to have their default, beside those that the stack needs.
    pub parameters: Vec<(String, String)>,
    /// Folder of CRM data to load into the org; every object in it is mirrored, beside those that always are.
    pub crm_data: Option<PathBuf>,
}

/// A running stack. Dropping it stops all of it.
pub struct Stack {
    gateway: Gateway,
    simulator: Simulator,
    deployment: Deployment,
    emulator: Emulator,
    functions: usize,
    crm_data: LoadReport,
    mirrored_objects: Vec<String>,
}

impl Stack {
    /// Builds the functions, deploys the template and starts everything around it.
    ///
    /// # Errors
    /// One sentence for a person: a taken port, a missing Python, a failed build or deployment.
    pub async fn start(options: Options, progress: &Progress) -> Result<Self> {
        let workspace = Workspace::here();
        let gateway = gateway::bind(options.port).await?;
        let simulator = start_simulator(&options).await?;
        let crm_data = load_crm_data(&simulator, options.crm_data.as_deref(), progress)?;
        progress.stage("getting the AWS emulator ready");
        let (emulator, binaries) = tokio::try_join!(start_emulator(&options), functions::build(&workspace, progress))?;
        progress.stage("packaging the functions");
        let template = upload_code(&workspace, emulator.sdk_config(), &binaries).await?;
        progress.stage("deploying infra/template.yaml");
        let mirrored_objects = mirrored_objects(&template, &crm_data)?;
        let parameters = parameters(&gateway.url(), simulator.url(), &mirrored_objects.join(","));
        let wanted = options.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).chain(wanted).collect();
        let deployment = deploy::create(emulator.sdk_config(), NAME, &template, &parameters).await?;
        register_app(emulator.sdk_config(), &simulator, &gateway.url()).await?;
        let api = deployment.outputs.get("ApiId").context("the template has no output ApiId")?;
        let gateway = gateway.serve(format!("{}/_aws/execute-api/{api}/$default", emulator.endpoint()))?;
        let functions = template.code_names().len();
        Ok(Self { gateway, simulator, deployment, emulator, functions, crm_data, mirrored_objects })
    }

    /// Base URL of the HTTP API as browsers, the platform and the org see it.
    #[must_use]
    pub fn url(&self) -> &str {
        self.gateway.url()
    }

    /// The simulated org.
    #[must_use]
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// What came of loading the CRM data; nothing where there was none.
    #[must_use]
    pub fn crm_data(&self) -> &LoadReport {
        &self.crm_data
    }

    /// The objects that Ferry mirrors here.
    #[must_use]
    pub fn mirrored_objects(&self) -> &[String] {
        &self.mirrored_objects
    }

    /// How many functions run.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.functions
    }

    /// The emulated AWS account.
    #[must_use]
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// A configuration for AWS SDK clients with every permission.
    #[must_use]
    pub fn sdk_config(&self) -> &SdkConfig {
        self.emulator.sdk_config()
    }

    /// An output of the deployed template.
    ///
    /// # Errors
    /// When the template has no such output.
    pub fn output(&self, name: &str) -> Result<&str> {
        let value = self.deployment.outputs.get(name);
        value.map(String::as_str).with_context(|| format!("infra/template.yaml has no output {name}"))
    }
}

async fn start_simulator(options: &Options) -> Result<Simulator> {
    let port = options.simulator_port;
    let free = std::net::TcpListener::bind(("127.0.0.1", port));
    free.map_err(|error| taken(error, port, "the Salesforce org", "--simulator-port"))?;
    let settings = org_simulator::Options {
        port,
        seed: Seed::Default,
        send_outbound_messages: options.send_outbound_messages,
        ..org_simulator::Options::default()
    };
    Simulator::start(settings).await.context("the Salesforce org could not start")
}

async fn start_emulator(options: &Options) -> Result<Emulator> {
    Emulator::start_with(emulator::Options {
        port: Some(options.emulator_port).filter(|port| *port != 0),
        log: options.log.clone(),
        enforce_policies: true,
    })
    .await
}

/// Puts the functions where the template can refer to them, as `sam package` does.
async fn upload_code(workspace: &Workspace, sdk: &SdkConfig, binaries: &BTreeMap<String, PathBuf>) -> Result<Template> {
    let template = Template::load(&workspace.template())?;
    let client = s3(sdk);
    client.create_bucket().bucket(CODE_BUCKET).send().await?;
    for name in template.code_names() {
        let binary = binaries.get(&name).with_context(|| format!("the workspace has no binary {name}"))?;
        let package = packaged(workspace, &name, binary).await?;
        let body = ByteStream::from_path(&package).await?;
        let put = client.put_object().bucket(CODE_BUCKET).key(&name).body(body);
        put.customize().disable_payload_signing().send().await.with_context(|| format!("could not upload {name}"))?;
    }
    let located = template.with_code(|name| format!("s3://{CODE_BUCKET}/{name}"));
    Ok(gaps::adapt(located))
}

async fn packaged(workspace: &Workspace, name: &str, binary: &Path) -> Result<PathBuf> {
    let (workspace, name, binary) = (workspace.clone(), name.to_owned(), binary.to_owned());
    tokio::task::spawn_blocking(move || functions::package(&workspace, &name, &binary)).await?
}

fn load_crm_data(simulator: &Simulator, folder: Option<&Path>, progress: &Progress) -> Result<LoadReport> {
    let Some(folder) = folder else { return Ok(LoadReport::default()) };
    progress.stage("loading the CRM data");
    simulator.load_crm_data(folder).with_context(|| format!("could not load {}", folder.display()))
}

/// What the template mirrors anyway, and whatever was loaded.
fn mirrored_objects(template: &Template, loaded: &LoadReport) -> Result<Vec<String>> {
    let always = template.parameter_default("MirroredObjects").context("the template has no MirroredObjects")?;
    let mut objects: Vec<_> = always.split(',').map(str::to_owned).collect();
    let others = loaded.loaded.keys().filter(|object| !objects.contains(object)).cloned().collect::<Vec<_>>();
    objects.extend(others);
    Ok(objects)
}

fn parameters(url: &str, login_url: &str, mirrored_objects: &str) -> [(&'static str, String); 6] {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    [
        ("Architecture", architecture),
        ("PublicUrl", url),
        ("SalesforceHosts", "loopback"),
        ("LoginUrlProduction", login_url),
        ("LoginUrlSandbox", login_url),
        ("MirroredObjects", mirrored_objects),
    ]
    .map(|(name, value)| (name, value.to_owned()))
}

/// What an operator does once after the first deployment: tells Ferry and Salesforce of each other.
async fn register_app(sdk: &SdkConfig, simulator: &Simulator, url: &str) -> Result<()> {
    let (client_id, client_secret) = (simulator.client_id(), simulator.client_secret());
    simulator.add_app("Ferry", client_id, client_secret, &format!("{url}/oauth/callback"));
    let install_url = format!("{}/packaging/installPackage.apexp", simulator.url());
    let app = json!({
        "name": "v2",
        "client_id": client_id,
        "client_secret": client_secret,
        "install_url_production": install_url,
        "install_url_sandbox": install_url,
    });
    let registrations = json!({ "apps": [app] }).to_string();
    let secrets = aws_sdk_secretsmanager::Client::new(sdk);
    let secret = format!("ferry/{NAME}/apps");
    secrets.put_secret_value().secret_id(secret).secret_string(registrations).send().await?;
    Ok(())
}

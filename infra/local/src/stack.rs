//! The local stack: the AWS emulator with the deployed template, the gateway, and a simulated Salesforce org.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use org_simulator::{LoadReport, Seed, Simulator};
use serde_json::json;

use crate::deploy::{self, Deployment, s3_client};
use crate::emulator::{self, Emulator};
use crate::gateway::{self, Gateway, listen_error};
use crate::issuer::{Grant, Issuer};
use crate::progress::Progress;
use crate::template::Template;
use crate::workspace::Workspace;
use crate::{functions, gaps};

/// The name of the CloudFormation stack.
pub const NAME: &str = "ferry";

const CODE_BUCKET: &str = "ferry-code";

/// The options of [`Stack::start`]. The default is for tests: free ports, and outbound messages only on request.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Port of the HTTP API; 0 selects a free port.
    pub port: u16,
    /// Port of the org simulator; 0 selects a free port.
    pub simulator_port: u16,
    /// Port of the AWS emulator; 0 selects a free port.
    pub emulator_port: u16,
    /// The path of the log of the emulator and the functions. With `None` the log is deleted with the stack.
    pub log: Option<PathBuf>,
    /// Let the org send outbound messages as soon as they are due. Otherwise it sends them only on request.
    pub send_outbound_messages: bool,
    /// More parameters of the template, as names and values. The stack sets those that it needs itself.
    pub parameters: Vec<(String, String)>,
    /// A folder with CRM data to load into the org. Its objects are mirrored in addition to the template's default.
    pub crm_data: Option<PathBuf>,
}

/// A running stack. Dropping it stops everything that it started.
pub struct Stack {
    gateway: Gateway,
    issuer: Arc<Issuer>,
    simulator: Simulator,
    deployment: Deployment,
    emulator: Emulator,
    functions: usize,
    crm_data: LoadReport,
    mirrored_objects: Vec<String>,
}

impl Stack {
    /// Builds the functions, starts the org, the emulator and the gateway, and deploys the template.
    ///
    /// # Errors
    /// If a port is in use, Python is missing, or the build, the deployment or loading the CRM data fails.
    pub async fn start(options: Options, progress: &Progress) -> Result<Self> {
        let workspace = Workspace::here();
        let gateway = gateway::bind(options.port).await?;
        let issuer = Arc::new(Issuer::new(&gateway.url())?);
        let simulator = start_simulator(&options).await?;
        let crm_data = load_crm_data(&simulator, options.crm_data.as_deref(), progress)?;
        progress.stage("starting the AWS emulator");
        let (emulator, binaries) = tokio::try_join!(start_emulator(&options), functions::build(&workspace, progress))?;
        progress.stage("packaging the functions");
        let template = upload_code(&workspace, emulator.sdk_config(), &binaries).await?;
        progress.stage("deploying infra/template.yaml");
        let mirrored_objects = mirrored_objects(&template, &crm_data)?;
        let parameters = parameters(&gateway.url(), issuer.url(), simulator.url(), &mirrored_objects.join(","));
        let more = options.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).chain(more).collect();
        let deployment = deploy::create(emulator.sdk_config(), NAME, &template, &parameters).await?;
        register_app(emulator.sdk_config(), &simulator, &gateway.url()).await?;
        let api = deployment
            .outputs
            .get("ApiId")
            .context("could not serve the HTTP API: infra/template.yaml has no output ApiId")?;
        let gateway = gateway.serve(format!("{}/_aws/execute-api/{api}/$default", emulator.endpoint()), &issuer)?;
        let functions = template.code_names().len();
        Ok(Self { gateway, issuer, simulator, deployment, emulator, functions, crm_data, mirrored_objects })
    }

    /// Returns the base URL of the HTTP API, for browsers, the platform and the org.
    #[must_use]
    pub fn url(&self) -> &str {
        self.gateway.url()
    }

    /// Returns the issuer of the tokens that the HTTP API accepts.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Returns a token that speaks for a tenant for an hour. `scope` has scopes, separated by spaces.
    ///
    /// # Errors
    /// If the signing fails.
    pub fn token(&self, tenant: &str, scope: &str) -> Result<String> {
        self.issuer.token(&Grant::of_tenant(tenant, scope))
    }

    /// Returns the simulated org.
    #[must_use]
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Returns the result of loading the CRM data; empty without CRM data.
    #[must_use]
    pub fn crm_data(&self) -> &LoadReport {
        &self.crm_data
    }

    /// Returns the API names of the mirrored objects.
    #[must_use]
    pub fn mirrored_objects(&self) -> &[String] {
        &self.mirrored_objects
    }

    /// Returns the number of deployed functions.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.functions
    }

    /// Returns the AWS emulator.
    #[must_use]
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// Returns a configuration for AWS SDK clients with every permission.
    #[must_use]
    pub fn sdk_config(&self) -> &SdkConfig {
        self.emulator.sdk_config()
    }

    /// Returns an output of the deployed template.
    ///
    /// # Errors
    /// If the template has no such output.
    pub fn output(&self, name: &str) -> Result<&str> {
        let value = self.deployment.outputs.get(name);
        value
            .map(String::as_str)
            .with_context(|| format!("could not read the output {name}: infra/template.yaml does not define it"))
    }
}

async fn start_simulator(options: &Options) -> Result<Simulator> {
    let port = options.simulator_port;
    let free = std::net::TcpListener::bind(("127.0.0.1", port));
    free.map_err(|error| listen_error(error, port, "the Salesforce org", "--simulator-port"))?;
    let settings = org_simulator::Options {
        port,
        seed: Seed::Default,
        send_outbound_messages: options.send_outbound_messages,
        ..org_simulator::Options::default()
    };
    Simulator::start(settings).await.context("could not start the Salesforce org")
}

async fn start_emulator(options: &Options) -> Result<Emulator> {
    Emulator::start_with(emulator::Options {
        program: emulator::Program::Ministack,
        port: Some(options.emulator_port).filter(|port| *port != 0),
        log: options.log.clone(),
        enforce_policies: true,
    })
    .await
}

/// Uploads the functions' packages to S3 and refers to them in the template, as `sam package` does.
async fn upload_code(workspace: &Workspace, sdk: &SdkConfig, binaries: &BTreeMap<String, PathBuf>) -> Result<Template> {
    let template = Template::load(&workspace.template())?;
    let client = s3_client(sdk);
    client.create_bucket().bucket(CODE_BUCKET).send().await?;
    for name in template.code_names() {
        let binary = binaries.get(&name).with_context(|| {
            format!("could not package the function {name}: the workspace has no binary of this name")
        })?;
        let package = package(workspace, &name, binary).await?;
        let body = ByteStream::from_path(&package).await?;
        let put = client.put_object().bucket(CODE_BUCKET).key(&name).body(body);
        put.customize()
            .disable_payload_signing()
            .send()
            .await
            .with_context(|| format!("could not upload the function {name}"))?;
    }
    let located = template.with_code(|name| format!("s3://{CODE_BUCKET}/{name}"));
    Ok(gaps::remove_alarms_on_expressions(gaps::allow_batch_actions(located)))
}

async fn package(workspace: &Workspace, name: &str, binary: &Path) -> Result<PathBuf> {
    let (workspace, name, binary) = (workspace.clone(), name.to_owned(), binary.to_owned());
    tokio::task::spawn_blocking(move || functions::package(&workspace, &name, &binary)).await?
}

fn load_crm_data(simulator: &Simulator, folder: Option<&Path>, progress: &Progress) -> Result<LoadReport> {
    let Some(folder) = folder else { return Ok(LoadReport::default()) };
    progress.stage("loading the CRM data");
    simulator.load_crm_data(folder).with_context(|| format!("could not load the CRM data in {}", folder.display()))
}

/// Returns the objects that the template mirrors by default, and those of the CRM data.
fn mirrored_objects(template: &Template, loaded: &LoadReport) -> Result<Vec<String>> {
    let default = template
        .parameter_default("MirroredObjects")
        .context("could not read the parameter MirroredObjects: infra/template.yaml has no default for it")?;
    let mut objects: Vec<_> = default.split(',').map(str::to_owned).collect();
    let loaded: Vec<_> = loaded.loaded.keys().filter(|object| !objects.contains(object)).cloned().collect();
    objects.extend(loaded);
    Ok(objects)
}

fn parameters(url: &str, issuer: &str, login_url: &str, mirrored_objects: &str) -> [(&'static str, String); 9] {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    [
        ("Architecture", architecture),
        ("PublicUrl", url),
        ("JwtIssuer", issuer),
        ("JwtUserClaim", "user"),
        ("SalesforceHosts", "loopback"),
        ("LoginUrlProduction", login_url),
        ("LoginUrlSandbox", login_url),
        ("MirroredObjects", mirrored_objects),
        // The refresh of the demo and the tests begins at once.
        ("RefreshWindowMinutes", "0"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
}

/// Creates the OAuth client in the org and stores its registration in Ferry, as an operator does after the first deployment.
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

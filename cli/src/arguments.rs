//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

/// Layer: an open retrieval mesh in front of Turbopuffer.
#[derive(Debug, Parser)]
#[command(name = "layer", version, about, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `layer` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the mesh in one process on embedded backends
    Up(Up),
    /// Stop the mesh that `layer up` started
    Down(DataDir),
    /// Serve the stand-in for Turbopuffer alone
    Origin(Origin),
    /// Say how a running mesh is
    Status(Status),
    /// Query a namespace
    Query(Query),
    /// List namespaces
    Namespaces(Namespaces),
    /// Read a namespace into the document cache
    Warm(Warm),
    /// Turn documents into rows, stage by stage
    Pipeline(Pipeline),
    /// Look after functions, which enrich rows
    Function(Function),
    /// Look into the document cache
    Cache(Cache),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print a generated page of the documentation
    #[command(hide = true)]
    Reference {
        /// Which page
        page: ReferencePage,
    },
}

/// A page that is made from the code.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ReferencePage {
    /// docs/configuration.md
    Configuration,
    /// docs/metrics.md
    Metrics,
}

/// Where the mesh keeps its data.
#[derive(Debug, Clone, Args)]
pub struct DataDir {
    /// Directory of all embedded data [default: layer in the user's data directory]
    #[arg(long, value_name = "DIR", env = "LAYER_DATA_DIR", value_hint = ValueHint::DirPath)]
    data_dir: Option<PathBuf>,
}

impl DataDir {
    /// The directory, or the user's own (XDG base directories).
    pub fn data_dir(&self) -> PathBuf {
        let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let user = || from("XDG_DATA_HOME").or_else(|| Some(from("HOME")?.join(".local/share")));
        self.data_dir.clone().unwrap_or_else(|| user().unwrap_or_else(|| PathBuf::from(".")).join("layer"))
    }
}

/// `layer up`
#[derive(Debug, Clone, Args)]
pub struct Up {
    /// Where the data is.
    #[command(flatten)]
    pub data: DataDir,
    /// Base URL of Turbopuffer; also LAYER_ORIGIN_URL or LAYER_ORIGIN_REGION, with LAYER_ORIGIN_API_KEY. Without: the stand-in
    #[arg(long, value_name = "URL")]
    pub origin: Option<String>,
    /// Address of the router; its admin port is 1000 above [default: listen.address, 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub router_address: Option<String>,
    /// Address of the stand-in; its admin port is 1000 above
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    pub stand_in_address: String,
    /// Address of the document cache; its admin port is 1000 above. Without, where cache.addresses of the router names others
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    pub doc_cache_address: String,
    /// Address of the pipeline-worker; its admin port is 1000 above. Without, where pipelines.addresses of the router names others
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8082")]
    pub pipeline_worker_address: String,
    /// Let the stand-in, which takes any key, the cache and the pipeline-worker, which ask for none, and the router in front of them listen where others can reach them
    #[arg(long)]
    pub open_anywhere: bool,
    /// TOML file of the router's settings
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Start in the background and return when it is ready
    #[arg(long)]
    pub detach: bool,
}

/// `layer origin`
#[derive(Debug, Clone, Args)]
pub struct Origin {
    /// Directory of its data
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: PathBuf,
    /// Address to listen on; the admin port is 1000 above
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    pub listen: String,
    /// Listen where others can reach it, though it takes any key
    #[arg(long)]
    pub open_anywhere: bool,
}

/// A running mesh.
#[derive(Debug, Clone, Args)]
pub struct Mesh {
    /// Base URL of the router
    #[arg(long, value_name = "URL", env = "LAYER_GATEWAY_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Key to show
    #[arg(long, value_name = "KEY", env = "LAYER_GATEWAY_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// `layer namespaces`
#[derive(Debug, Clone, Args)]
pub struct Namespaces {
    /// The mesh.
    #[command(flatten)]
    pub mesh: Mesh,
    /// Only names that begin so
    #[arg(long)]
    pub prefix: Option<String>,
    /// At the most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// `layer query`
#[derive(Debug, Clone, Args)]
pub struct Query {
    /// The mesh.
    #[command(flatten)]
    pub mesh: Mesh,
    /// The namespace
    pub namespace: String,
    /// Full-text search: attribute and text
    #[arg(long, num_args = 2, value_names = ["ATTRIBUTE", "TEXT"], group = "rank")]
    pub text: Option<Vec<String>>,
    /// Vector search in the attribute `vector`: a JSON array of numbers
    #[arg(long, value_name = "JSON", group = "rank")]
    pub vector: Option<String>,
    /// Any ranking, as Turbopuffer's `rank_by` in JSON [default: by id]
    #[arg(long, value_name = "JSON", group = "rank")]
    pub rank_by: Option<String>,
    /// Turbopuffer's `filters` in JSON
    #[arg(long, value_name = "JSON")]
    pub filters: Option<String>,
    /// Rows at the most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub top_k: u32,
    /// Attributes to show, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    pub include: Option<Vec<String>>,
}

/// `layer warm`
#[derive(Debug, Clone, Args)]
pub struct Warm {
    /// The mesh.
    #[command(flatten)]
    pub mesh: Mesh,
    /// The namespace
    pub namespace: String,
    /// Ids that are listed at a time
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub page_size: u32,
    /// Return at once and let the job go on; without, ctrl-c cancels it
    #[arg(long)]
    pub detach: bool,
}

/// `layer pipeline`
#[derive(Debug, Clone, Args)]
pub struct Pipeline {
    /// What to do
    #[command(subcommand)]
    pub verb: PipelineVerb,
}

/// What `layer pipeline` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum PipelineVerb {
    /// Chunk, embed and index files: makes the pipeline, stages the files and works until all are done
    Run(Run),
    /// List pipelines
    Ls(Mesh),
    /// Say how far a pipeline is
    Status {
        /// The mesh.
        #[command(flatten)]
        mesh: Mesh,
        /// The pipeline
        id: String,
    },
    /// List documents that failed for good
    Failed(Letters),
    /// Put documents that failed back to work
    Retry(Retry),
    /// Delete a pipeline; rows that it has written stay
    Rm {
        /// The mesh.
        #[command(flatten)]
        mesh: Mesh,
        /// The pipeline
        id: String,
    },
}

/// `layer pipeline run`
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// The mesh.
    #[command(flatten)]
    pub mesh: Mesh,
    /// Files (text, Markdown, HTML, PDF), folders, patterns, .jsonl files with `id` and `text`, or s3://BUCKET/PREFIX with LAYER_OBJECT_STORE_*
    #[arg(required = true, value_name = "FILES", value_hint = ValueHint::FilePath)]
    pub sources: Vec<String>,
    /// The folder that files are in; their paths in it are the documents' ids
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// The namespace that rows are written to
    #[arg(long, value_name = "NAMESPACE")]
    pub to: String,
    /// The pipeline's id [default: the namespace]
    #[arg(long, value_name = "ID")]
    pub pipeline: Option<String>,
    /// Directory of a model of the BERT family as sentence-transformers saves it: it runs in this process
    #[arg(long, value_name = "DIR", env = "LAYER_EMBED_MODEL_DIR", value_hint = ValueHint::DirPath, required_unless_present = "endpoint", conflicts_with = "endpoint")]
    pub model: Option<PathBuf>,
    /// Base URL of an endpoint that speaks OpenAI's embeddings call, for example https://api.openai.com/v1
    #[arg(long, value_name = "URL", requires = "endpoint_model")]
    pub endpoint: Option<String>,
    /// The endpoint's name of the model
    #[arg(long, value_name = "NAME")]
    pub endpoint_model: Option<String>,
    /// The endpoint's key
    #[arg(long, value_name = "KEY", env = "OPENAI_API_KEY", hide_env_values = true)]
    pub endpoint_key: Option<String>,
    /// The largest chunk, in characters
    #[arg(long, default_value_t = 1000)]
    pub chunk_size: u32,
    /// How much of a chunk's end is repeated at the beginning of the next, in characters
    #[arg(long, default_value_t = 100)]
    pub chunk_overlap: u32,
    /// How distances are measured in a namespace that is new
    #[arg(long, default_value = "cosine_distance", value_parser = ["cosine_distance", "euclidean_squared"])]
    pub distance_metric: String,
}

impl Run {
    /// The pipeline's id.
    pub fn id(&self) -> &str {
        self.pipeline.as_deref().unwrap_or(&self.to)
    }
}

/// `layer function`
#[derive(Debug, Clone, Args)]
pub struct Function {
    /// What to do
    #[command(subcommand)]
    pub verb: FunctionVerb,
}

/// What `layer function` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum FunctionVerb {
    /// List functions
    Ls(Mesh),
    /// Say how far a function is
    Status {
        /// The mesh.
        #[command(flatten)]
        mesh: Mesh,
        /// The function
        id: String,
    },
    /// List rows that failed for good
    Failed(Letters),
    /// Put rows that failed back to work
    Retry {
        /// The mesh.
        #[command(flatten)]
        mesh: Mesh,
        /// The function
        id: String,
    },
    /// Stop discovery and claims; leases run on
    Pause {
        /// The mesh.
        #[command(flatten)]
        mesh: Mesh,
        /// The function
        id: String,
    },
    /// Go on after a pause
    Resume {
        /// The mesh.
        #[command(flatten)]
        mesh: Mesh,
        /// The function
        id: String,
    },
    /// Look for rows to do, now
    Discover {
        /// The mesh.
        #[command(flatten)]
        mesh: Mesh,
        /// The function
        id: String,
    },
    /// Delete a function; what it has written to rows stays
    Rm {
        /// The mesh.
        #[command(flatten)]
        mesh: Mesh,
        /// The function
        id: String,
    },
}

/// Dead letters to list.
#[derive(Debug, Clone, Args)]
pub struct Letters {
    /// The mesh.
    #[command(flatten)]
    pub mesh: Mesh,
    /// The pipeline or function
    pub id: String,
    /// At the most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// Dead letters to put back.
#[derive(Debug, Clone, Args)]
pub struct Retry {
    /// The mesh.
    #[command(flatten)]
    pub mesh: Mesh,
    /// The pipeline
    pub id: String,
    /// The documents [default: all that failed]
    pub documents: Vec<String>,
}

/// `layer cache`
#[derive(Debug, Clone, Args)]
pub struct Cache {
    /// What to do
    #[command(subcommand)]
    pub verb: CacheVerb,
}

/// What `layer cache` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum CacheVerb {
    /// Say how a replica of the cache is doing
    Stats(CachePlace),
    /// Say what the cache knows of one document, without its content
    Inspect {
        /// The cache.
        #[command(flatten)]
        place: CachePlace,
        /// The namespace
        namespace: String,
        /// The document's id
        id: String,
    },
    /// Forget a namespace: what is cached of it is served no more
    Purge {
        /// The cache.
        #[command(flatten)]
        place: CachePlace,
        /// The namespace
        namespace: String,
    },
}

/// `layer status`
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// The router.
    #[command(flatten)]
    pub mesh: Mesh,
    /// The cache.
    #[command(flatten)]
    pub cache: CacheAddress,
}

/// Where doc-cache is asked for itself.
#[derive(Debug, Clone, Args)]
pub struct CachePlace {
    /// Where it is.
    #[command(flatten)]
    pub address: CacheAddress,
    /// Name of the store, as `cache.tenant` of the router
    #[arg(long, default_value = "default")]
    pub tenant: String,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// Where doc-cache is.
#[derive(Debug, Clone, Args)]
pub struct CacheAddress {
    /// Base URL of doc-cache
    #[arg(long, value_name = "URL", env = "LAYER_DOC_CACHE_URL", default_value = "http://127.0.0.1:8081")]
    pub cache_url: String,
    /// PEM file of the authorities that a replica's certificate is checked against
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// PEM files of the certificate chain and the key to show, where the cache asks for one
    #[arg(long, num_args = 2, value_names = ["CERTIFICATE", "KEY"], value_hint = ValueHint::FilePath)]
    pub certificate: Option<Vec<PathBuf>>,
}

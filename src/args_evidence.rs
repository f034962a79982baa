//! Options of the verbs that look at one finding of an output folder.
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::KeyArgs;

/// Where a finding and what belongs to it are.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// Output folder of replay, watch or hunt
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) from: Option<PathBuf>,
    /// The site folder that judged
    #[arg(long, value_name = "DIR")]
    pub(crate) site: Option<PathBuf>,
    /// The lake with the rows; default: the one that the run wrote or read
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// Folder of rule files, added to the embedded pack
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Vec<PathBuf>,
    /// For cleared users: the pseudonym key, to tell targets, tasks and orders in clear from the register in --site; each access is
    /// recorded in access.ndjson of the output folder
    #[arg(long, value_name = "FILE")]
    pub(crate) enclave_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// `lidr explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The finding's id, or its beginning
    pub(crate) uid: String,
    #[command(flatten)]
    pub(crate) at: At,
}

/// `lidr evidence`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Evidence {
    #[command(subcommand)]
    pub(crate) verb: Option<EvidenceVerb>,
    /// The finding's id, or its beginning
    #[arg(required = true)]
    pub(crate) uid: Option<String>,
    #[command(flatten)]
    pub(crate) at: At,
    /// Write the bundle here (FILE.tar.zst); a file that is there is not replaced
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) file: Option<PathBuf>,
    /// Where an input of the run is now; CAPTURE=FILE names it as rows do
    #[arg(long = "input", value_name = "[CAPTURE=]FILE")]
    pub(crate) inputs: Vec<String>,
    /// The bundle that this one follows
    #[arg(long, value_name = "FILE")]
    pub(crate) previous: Option<PathBuf>,
    /// Ed25519 key to sign with, PKCS#8 PEM; default: one that lidr makes and keeps in the user's configuration folder
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
}

/// What else is done with bundles.
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceVerb {
    /// Find any change, removal or reordering in bundles, given in the order of their chain
    Verify(Verify),
}

/// `lidr evidence verify`
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The bundles
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Public key that may have signed, PEM; without one each bundle's own word is taken
    #[arg(long = "public-key", alias = "key", value_name = "FILE")]
    pub(crate) public_keys: Vec<PathBuf>,
}

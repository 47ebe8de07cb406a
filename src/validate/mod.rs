//! `kubelet-lite validate`: judges manifests as the daemon would, without a daemon or an engine.
//!
//! Owns the reading of what the command line names, the judging of several files together, and the
//! forms a report is written in. Touches nothing but the files it is given.

mod excerpt;
mod github;
mod input;
mod json;
mod references;
mod report;
mod sarif;
mod set;
mod text;

use crate::{
    convert::{SupportPolicy, Sysctls},
    manifest::{
        codes,
        parse::{FieldValidation, ParseOptions},
    },
};
use report::Report;
use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

/// What `kubelet-lite validate` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct ValidateArgs {
    /// Manifest files, directories of them, or `-` for standard input. A directory is judged as the
    /// daemon would judge it: which names it reads, and clashes between its files.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub paths: Vec<PathBuf>,
    /// Form of the report.
    #[arg(short, long, value_name = "FORM", value_enum, default_value_t)]
    pub output: Output,
    /// What to do about unknown fields and duplicate keys.
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub field_validation: FieldValidation,
    /// Warnings not to give, by their codes, as in `--silence=secret-in-env`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub silence: Vec<String>,
    /// Judge by the API's rules alone: do not tell what this version can not do.
    #[arg(long)]
    pub api_rules_only: bool,
    /// Name of the node the manifests are for; it is added to the names of pods.
    #[arg(long, value_name = "NAME", default_value = "node")]
    pub hostname_override: String,
    /// How many pods the node may run.
    #[arg(long, value_name = "N", default_value_t = 110)]
    pub max_pods: usize,
    /// Sysctls that the node lets pods set beyond the safe ones, as in the daemon's flag.
    #[arg(long, value_name = "SYSCTLS", default_value = "")]
    pub allowed_unsafe_sysctls: Sysctls,
    /// Whether to write in colours.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people: excerpts with the place underlined.
    #[default]
    Text,
    /// One JSON object; its form is stable.
    Json,
    /// SARIF 2.1.0, for editors and code scanning.
    Sarif,
    /// Workflow commands that become annotations on GitHub.
    Github,
}

/// When to write in colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every file would be taken. There may be warnings.
    Clean,
    /// At least one file would be refused, or a pod could never run beside the others.
    Refused,
    /// The command line can not be followed; the report says why.
    Usage,
}

impl Outcome {
    /// The exit code: 0, 1 or 2.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Refused => 1,
            Self::Usage => 2,
        }
    }
}

/// Judges what the arguments name and writes a report; wrong usage is told of on standard error. Errors are those of
/// writing; what can not be read is in the report.
pub fn run(
    args: &ValidateArgs,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
    stdout_is_terminal: bool,
) -> io::Result<Outcome> {
    for code in &args.silence {
        if !codes::is_warning(code) {
            let hint = codes::nearest(code).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            writeln!(stderr, "error: --silence: there is no warning with code {}{hint}", text::plain(code))?;
            return Ok(Outcome::Usage);
        }
    }
    let options = ParseOptions {
        field_validation: args.field_validation,
        report_unsupported: !args.api_rules_only,
        silenced: args.silence.iter().cloned().collect(),
        support: SupportPolicy { allowed_unsafe_sysctls: args.allowed_unsafe_sysctls.clone() },
    };
    let inputs = match input::read(&args.paths, &options, stdin) {
        Ok(inputs) => inputs,
        Err(error) => {
            writeln!(stderr, "error: {}", text::plain(&error.to_string()))?;
            return Ok(Outcome::Usage);
        }
    };
    let report = Report::new(inputs, args, &options);
    let color = match args.color {
        Color::Auto => stdout_is_terminal,
        Color::Always => true,
        Color::Never => false,
    };
    match args.output {
        Output::Text => text::write(&report, color, stdout)?,
        Output::Json => json::write(&report, stdout)?,
        Output::Sarif => sarif::write(&report, stdout)?,
        Output::Github => github::write(&report, stdout)?,
    }
    stdout.flush()?;
    Ok(if report.is_clean() { Outcome::Clean } else { Outcome::Refused })
}

//! What holds for every file, whatever it holds.

use clap::Parser;
use kubelet_lite::{
    manifest::{
        Object, codes,
        diagnostic::Severity,
        parse::{FieldValidation, ParseOptions, Parsed, parse_file},
    },
    pod::{ManifestSource, Node, Pod, defaults},
    validate::{Outcome, ValidateArgs, run},
};
use serde_json::Value;
use std::path::Path;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: ValidateArgs,
}

/// Codes of guards that no file is to reach.
const UNREACHABLE: &[&str] = &["undecodable", "internal-error", "impossible-pod"];

/// Judges by the API's rules, so that what can not be honoured does not hide what else there is.
pub fn judge(bytes: &[u8], field_validation: FieldValidation) -> Parsed {
    let options = ParseOptions { field_validation, report_unsupported: false, ..ParseOptions::default() };
    parse_file(Path::new("a.yaml"), bytes, &options)
}

/// The laws; the first that is broken.
pub fn hold(bytes: &[u8]) -> Result<Parsed, String> {
    let parsed = judge(bytes, FieldValidation::Strict);
    if judge(bytes, FieldValidation::Strict) != parsed {
        return Err("judged twice, two verdicts".into());
    }
    findings(bytes, &parsed)?;
    levels(bytes, &parsed)?;
    if !parsed.is_refused() {
        parsed.objects.iter().try_for_each(object)?;
    }
    reports(bytes, &parsed)?;
    Ok(parsed)
}

fn findings(bytes: &[u8], parsed: &Parsed) -> Result<(), String> {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    let columns = bytes.len() + 2;
    for found in &parsed.diagnostics {
        if UNREACHABLE.contains(&found.code) {
            return Err(format!("{} was reached: {} {}", found.code, found.field, found.message));
        }
        if !codes::CODES.iter().any(|code| code.name == found.code) {
            return Err(format!("code {} is not documented", found.code));
        }
        if codes::is_warning(found.code) != (found.severity == Severity::Warning)
            && !["unknown-field", "duplicate-key", "too-many-findings"].contains(&found.code)
        {
            return Err(format!("{} is given as {}", found.code, found.severity.as_str()));
        }
        for place in found.place.iter().chain(found.related.iter().map(|related| &related.place)) {
            // Lines may end in other ways than by a line feed alone.
            let breaks = lines + bytes.iter().filter(|byte| matches!(byte, b'\r' | 0x85 | 0xa8 | 0xa9)).count();
            if place.line == 0 || place.column == 0 || place.line > breaks || place.column > columns {
                return Err(format!("{} is outside of the file, at {place:?}", found.code));
            }
        }
    }
    Ok(())
}

/// The levels of field validation differ in what they refuse, not in what they understand.
fn levels(bytes: &[u8], strict: &Parsed) -> Result<(), String> {
    let (warn, ignore) = (judge(bytes, FieldValidation::Warn), judge(bytes, FieldValidation::Ignore));
    if warn.is_refused() != ignore.is_refused() || warn.objects != ignore.objects {
        return Err("Warn and Ignore understand differently".into());
    }
    if !strict.is_refused() && (warn.is_refused() || strict.objects != warn.objects) {
        return Err("Warn understands otherwise what Strict takes".into());
    }
    let only_fields = |d: &&_| -> bool {
        let d: &kubelet_lite::manifest::diagnostic::Diagnostic = d;
        d.is_error() && !["unknown-field", "duplicate-key", "too-many-findings"].contains(&d.code)
    };
    if strict.diagnostics.iter().any(|d| only_fields(&d)) && !warn.is_refused() {
        return Err("Warn takes what Strict refuses for more than its fields".into());
    }
    Ok(())
}

/// An object that was taken can be resolved, and means the same when it is written out and read again.
fn object(object: &Object) -> Result<(), String> {
    let Object::Pod { document, pod } = object else { return Ok(()) };
    let source = ManifestSource { path: "a.yaml".into(), document: *document };
    let resolved = Pod::from_manifest(pod.clone(), source, &Node { name: "n1".into() });
    let resolved = resolved.map_err(|error| format!("was taken, and can not be resolved: {error}"))?;
    let spec = resolved.whole_spec();
    let mut again = spec.clone();
    defaults::apply(&mut again);
    if again != spec {
        return Err("defaults change what has defaults".into());
    }
    let written = serde_json::to_value(pod).map_err(|error| error.to_string())?;
    for (form, text) in forms(&written)? {
        let parsed = judge(text.as_bytes(), FieldValidation::Strict);
        if parsed.is_refused() {
            return Err(format!("was taken, and is refused as {form}: {:?}", parsed.diagnostics.first()));
        }
        match &parsed.objects[..] {
            [Object::Pod { pod: again, .. }] if again == pod => {}
            _ => return Err(format!("reads otherwise when written as {form}")),
        }
    }
    Ok(())
}

/// A value as text.
pub fn forms(value: &Value) -> Result<[(&'static str, String); 2], String> {
    let json = serde_json::to_string(value).map_err(|error| error.to_string())?;
    let mut yaml = "---".to_owned();
    block(value, 0, &mut yaml);
    Ok([("JSON", json), ("YAML", yaml)])
}

/// YAML in block style, texts in JSON's quotes, so that no reader of any version takes them for else.
fn block(value: &Value, indent: usize, out: &mut String) {
    let line = |out: &mut String| {
        out.push('\n');
        out.push_str(&" ".repeat(indent));
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                line(out);
                out.push_str(&format!("{}:", Value::from(key.as_str())));
                block(value, indent + 1, out);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for item in list {
                line(out);
                out.push('-');
                block(item, indent + 1, out);
            }
        }
        scalar => out.push_str(&format!(" {scalar}")),
    }
}

/// Every form of the report can be written, and agrees with the verdict.
fn reports(bytes: &[u8], parsed: &Parsed) -> Result<(), String> {
    for form in ["text", "json", "sarif", "github"] {
        let args = Cli::try_parse_from(["validate", "--api-rules-only", "-o", form, "-"]).map_err(|e| e.to_string())?;
        let mut out = Vec::new();
        let outcome =
            run(&args.args, &mut &bytes[..], &mut out, &mut std::io::sink(), false).map_err(|e| e.to_string())?;
        if parsed.is_refused() && outcome != Outcome::Refused {
            return Err("validate takes what is refused".into());
        }
        if matches!(form, "json" | "sarif") && serde_json::from_slice::<Value>(&out).is_err() {
            return Err(format!("{form} report is not JSON"));
        }
    }
    Ok(())
}

#!/usr/bin/env bash
# licenses.sh BINARY: prints the licences of what is linked into BINARY, each text once, below the names of those that
# carry it: crates, Rust's standard library and, where the program is static, musl.
#
# Needs what build-essential brings. The same crates, Rust release and musl give the same bytes.
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "$0")/../.."
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# NAME VERSION, LICENCE, DIRECTORY of the crates that are linked in, by tabs. The second is not --offline: what only
# tests need may not have been fetched for a release, and Cargo wants to see all.
cargo tree --locked --offline --edges normal --prefix none --format '{p}' |
	sed -n 's/^\([^ ]* v[^ ]*\).*/\1/p' | sort -u >"$work/linked"
cargo metadata --locked --quiet --format-version 1 --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" |
	perl -MJSON::PP -0777 -ne 'for (@{decode_json($_)->{packages}}) {
		next unless $_->{source};
		print join("\t", "$_->{name} v$_->{version}", $_->{license} // "not named", $_->{manifest_path} =~ s|/[^/]*$||r), "\n";
	}' | sort | join -t "$(printf '\t')" - "$work/linked" >"$work/crates"

# HASH, NAME VERSION, FILE.
texts() {
	find "$2" -type f \( -iname 'licen[cs]e*' -o -iname 'unlicen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'copyright*' \) \
		! -name '*.rs' ! -name '*.html' | sort | while read -r file; do
		printf '%s\t%s\t%s\n' "$(sha256sum <"$file" | cut -d' ' -f1)" "$1" "$file"
	done
}
while IFS=$'\t' read -r name licence directory; do
	texts "$name" "$directory" >"$work/texts"
	[ -s "$work/texts" ] || echo "  $name: $licence" >>"$work/without"
	cat "$work/texts" >>"$work/all"
done <"$work/crates"

# Newer releases have one page for the library and what is in it, and apart from that the texts that it names.
rust=$(rustc --version | cut -d' ' -f1,2)
documents=$(rustc --print sysroot)/share/doc/rust
mkdir "$work/rust"
if [ -f "$documents/COPYRIGHT-library.html" ]; then
	perl -CSD -pe 's/<[^>]*>//g; s/&#x([0-9a-f]+);/chr hex $1/egi; s/&#(\d+);/chr $1/eg; s/&lt;/</g; s/&gt;/>/g; s/&quot;/"/g;
		s/&amp;/&/g; s/\s*$/\n/' "$documents/COPYRIGHT-library.html" | cat -s >"$work/rust/COPYRIGHT-library"
	for text in "$documents"/licenses/*.txt; do
		name=$(basename "$text" .txt)
		! grep -qwF -- "$name" "$work/rust/COPYRIGHT-library" || cp "$text" "$work/rust/LICENSE-$name"
	done
fi
for text in "$documents"/{COPYRIGHT,LICENSE-MIT,LICENSE-APACHE}; do
	[ ! -f "$text" ] || cp "$text" "$work/rust"
done
texts "Rust's standard library ($rust)" "$work/rust" >"$work/texts"
[ -s "$work/texts" ] || echo "  Rust's standard library ($rust): MIT OR Apache-2.0" >>"$work/without"
cat "$work/texts" >>"$work/all"

if ! readelf --program-headers "$binary" | grep -q INTERP; then
	mkdir "$work/musl"
	cp /usr/share/doc/musl-dev/copyright "$work/musl" || {
		echo "the program is static: musl's licence is wanted (package musl-dev)" >&2
		exit 1
	}
	texts musl "$work/musl" >>"$work/all"
fi

echo "What is linked into kubelet-lite beside its own code, by whom, and under which terms. crates.txt names the licences"
echo "of each crate; of those that it names with OR, the recipient has the choice."
if [ -s "$work/without" ]; then
	printf '\nThese bring no text of their own, only the name of their licence:\n\n'
	cat "$work/without"
fi
# The first bearer's place in the list is the text's.
awk -F'\t' '
	!($1 in file) { order[++count] = $1; file[$1] = $3 }
	bearer[$1, $2]++ { next }
	{ bearers[$1] = bearers[$1] (bearers[$1] ? ", " : "") $2 }
	END { for (i = 1; i <= count; i++) print file[order[i]] "\t" bearers[order[i]] }
' "$work/all" | while IFS=$'\t' read -r file bearers; do
	printf '\n%s\n%s:\n\n' ================================================================================ "$bearers"
	# A text may end without a line's end.
	sed 's/\r$//; $a\' "$file"
done

#!/usr/bin/env bash
# Download and unpack KTH's videos. See --help.
set -euo pipefail

BASE_URL=http://www.nada.kth.se/cvap/actions
OUT_DIR=data/raw_dataset/kth_data
ACTIONS=(walking running)
KEEP_ZIPS=false
PYTHON=${PYTHON:-python3}

usage() {
    cat <<EOF
Usage: download_kth.sh [options]

Downloads 00sequences.txt and one archive per action of the KTH action database and unpacks
each to a folder of its own, OUT_DIR/ACTION. An archive has 100 to 250 MB. Run it again after
an interruption: what is complete is skipped, and a partial download (.part) goes on.

  --actions A [A ...]  boxing handclapping handwaving jogging running walking, or all
                       (default: ${ACTIONS[*]})
  --out-dir DIR        where to put the files (default: $OUT_DIR)
  --base-url URL       where to get them (default: $BASE_URL)
  --keep-zips          keep the archives after unpacking
  --help               show this text

Needs curl or wget (DOWNLOADER=wget prefers the latter) and Python (PYTHON=$PYTHON).
Exit code: 2 for bad usage, 3 if some files could not be had (the others are there).
EOF
}

stop() {
    echo "download_kth.sh: error: $1" >&2
    exit 2
}

while [[ $# -gt 0 ]]; do
    option=$1
    shift
    case $option in
        --help | -h) usage; exit 0 ;;
        --keep-zips) KEEP_ZIPS=true ;;
        --actions)
            ACTIONS=()
            while [[ $# -gt 0 && $1 != --* ]]; do ACTIONS+=("$1"); shift; done
            [[ ${#ACTIONS[@]} -gt 0 ]] || stop '--actions needs at least one action (see --help)'
            ;;
        --out-dir | --base-url)
            [[ $# -gt 0 ]] || stop "$option needs a value (see --help)"
            if [[ $option == --out-dir ]]; then OUT_DIR=$1; else BASE_URL=${1%/}; fi
            shift
            ;;
        *) stop "unknown option $option (see --help)" ;;
    esac
done

ALL=(boxing handclapping handwaving jogging running walking)
[[ ${ACTIONS[*]} == all ]] && ACTIONS=("${ALL[@]}")
for action in "${ACTIONS[@]}"; do
    [[ " ${ALL[*]} " == *" $action "* ]] || stop "unknown action $action; KTH has ${ALL[*]}"
done
command -v "$PYTHON" >/dev/null || stop "$PYTHON not found; set PYTHON to a Python 3"
DOWNLOADER=${DOWNLOADER:-$(command -v curl || command -v wget || true)}
[[ -n $DOWNLOADER ]] && command -v "$DOWNLOADER" >/dev/null ||
    stop 'neither curl nor wget found; install one of them'
mkdir -p "$OUT_DIR" 2>/dev/null && [[ -w $OUT_DIR ]] || stop "cannot write to $OUT_DIR"

# fetch URL FILE: download, going on where FILE ends. Says nothing, unless there is a terminal.
fetch() {
    local noise=(--silent)
    if [[ $(basename "$DOWNLOADER") == wget* ]]; then
        noise=(--quiet)
        [[ -t 2 ]] && noise=(--quiet --show-progress)
        "$DOWNLOADER" "${noise[@]}" --continue --output-document="$2" "$1"
    else
        [[ -t 2 ]] && noise=(--progress-bar)
        "$DOWNLOADER" "${noise[@]}" --fail --location --continue-at - --output "$2" "$1"
    fi
}

is_sequences_txt() {
    grep -q '^person[0-9].*frames' "$1" 2>/dev/null
}

is_whole_zip() {
    "$PYTHON" - "$1" 2>/dev/null <<'EOF'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    sys.exit(archive.testzip() is not None)
EOF
}

# get NAME CHECK: download NAME to OUT_DIR unless it is there; CHECK says whether it is whole.
get() {
    local target=$OUT_DIR/$1 part=$OUT_DIR/$1.part url=$BASE_URL/$1 code=0
    [[ -e $target ]] && return 0
    echo "download $url"
    # A text does not show where it was cut, and is small enough to begin again.
    [[ $1 == *.zip ]] || rm -f "$part"
    if [[ ! -e $part ]]; then
        fetch "$url" "$part" || code=$?
    elif ! "$2" "$part"; then
        fetch "$url" "$part" || code=$?
        # Some servers cannot continue, and some partial files are of no use: begin again. Not so
        # after a network failure (curl 6, 7, 18, 28, 56; wget 4): that tells nothing of the part.
        case $code in
            6 | 7 | 18 | 28 | 56 | 4) ;;
            *) "$2" "$part" || begin_again "$url" "$part" || code=$? ;;
        esac
    fi
    # An error does not matter for an archive that is whole: "nothing left to send" is one, too.
    if [[ $code -eq 0 || $1 == *.zip ]] && "$2" "$part"; then
        mv "$part" "$target"
        return
    fi
    if [[ $code -eq 0 ]]; then
        rm -f "$part"
        echo "download_kth.sh: error: what $url sends is not the expected file" >&2
    else
        [[ -s $part ]] || rm -f "$part"
        echo "download_kth.sh: error: cannot download $url ($(basename "$DOWNLOADER") exit code" \
            "$code); run this again to go on" >&2
    fi
    return 1
}

# begin_again URL PART: download from the start, but keep the old PART if nothing comes.
begin_again() {
    local code=0
    mv "$2" "$2.old"
    fetch "$1" "$2" || code=$?
    if [[ -s $2 ]]; then rm "$2.old"; else mv "$2.old" "$2"; fi
    return $code
}

# unpack ACTION: all files of the archive into OUT_DIR/ACTION, without folders of its own.
unpack() {
    rm -rf "$OUT_DIR/.$1.part"
    if ! "$PYTHON" - "$OUT_DIR/$1.zip" "$OUT_DIR/.$1.part" 2>/dev/null <<'EOF'; then
import pathlib, shutil, sys, zipfile
folder = pathlib.Path(sys.argv[2])
folder.mkdir()
with zipfile.ZipFile(sys.argv[1]) as archive:
    for member in archive.infolist():
        if not member.is_dir():
            target = folder / pathlib.PurePosixPath(member.filename).name
            with archive.open(member) as source, target.open('wb') as file:
                shutil.copyfileobj(source, file)
EOF
        rm -rf "$OUT_DIR/.$1.part"
        echo "download_kth.sh: error: cannot unpack $OUT_DIR/$1.zip; is the disk full, or the" \
            'archive damaged (delete it then)?' >&2
        return 1
    fi
    mv "$OUT_DIR/.$1.part" "$OUT_DIR/$1" || return
    $KEEP_ZIPS || rm "$OUT_DIR/$1.zip"
}

failed=0
get 00sequences.txt is_sequences_txt || failed=3
for action in "${ACTIONS[@]}"; do
    if [[ ! -d $OUT_DIR/$action ]]; then
        { get "$action.zip" is_whole_zip && unpack "$action"; } || { failed=3; continue; }
    fi
    echo "$OUT_DIR/$action: $(find "$OUT_DIR/$action" -type f | wc -l) files"
done
exit $failed

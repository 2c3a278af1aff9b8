#!/usr/bin/env bash
# From nothing to a report: synthetic clips -> train -> test -> heatmap files -> TSR -> comparison
# with simulated observers.
#   tools/demo.sh [OUT_DIR]            (default: demo_output; `make demo` calls this)
# A second run goes on where the first stopped. DEMO_PERSONS (1-25) and DEMO_EPOCHS (12) make it
# shorter (DEMO_PERSONS='2 11-12 19' DEMO_EPOCHS=1); the network then learns next to nothing.
set -euo pipefail
[[ ${1:-} != -h && ${1:-} != --help ]] || { sed -n '2,6s/^# //p' "$0"; exit 0; }

out=${1:-demo_output}
tools=$(cd "$(dirname "$0")" && pwd)
config=$tools/../configs/kth/cnnlstm_r18-small_1xb8-16x1x1-12e_kth-synthetic-rgb.py
clips=$out/synthetic_kth
work=$out/training
data=({train,val,test}_dataloader.dataset.data_root="$clips")

step() { printf '\n== %s\n' "$*"; }

step 'Synthetic clips: drawn walkers and runners with true masks and simulated observers'
read -ra persons <<< "${DEMO_PERSONS:-1-25}"
python "$tools/data/synthetic/make_clips.py" "$clips" --persons "${persons[@]}"

step "Train a small CNN-LSTM on the training persons (log: $work)"
if [[ ! -f $work/done ]]; then
    python "$tools/train.py" "$config" --resume --work-dir "$work" \
        --cfg-options "${data[@]}" train_cfg.max_epochs="${DEMO_EPOCHS:-12}" randomness.seed=0 \
        2>&1 | { grep --line-buffered -E 'Epoch\((train|val)|rror:' || true; } | cut -c1-150
    touch "$work/done"
fi
checkpoint=$(cat "$work/last_checkpoint")

step 'Test it on held-out persons'
python "$tools/test.py" "$config" "$checkpoint" --dump "$out/predictions.pkl" \
    --work-dir "$work/test" --cfg-options "${data[@]}" 2>&1 |
    { grep -E 'Epoch\(test.*acc|rror:' || true; }

step 'Heatmaps of the test persons, as text, and overlays'
python "$tools/data/kth/list_clips.py" "$clips" --subset test --out "$out/test_clips.txt"
bash "$tools/batch_vis_cam.sh" "$config" "$checkpoint" "$out/test_clips.txt" "$out"

step 'The same by another method, without overlays'
OVERLAYS=0 bash "$tools/batch_vis_cam.sh" "$config" "$checkpoint" "$out/test_clips.txt" \
    "$out/layercam" --method layercam

step 'A contact sheet'
python "$tools/visualizations/contact_sheet.py" "$out/heatmaps" "$out/contact_sheet.png" \
    --title 'Grad-CAM of a CNN-LSTM on synthetic clips'

step 'Which frames, and where in them: TSR of a pass of two videos, held against optical flow'
head -n 2 "$out/test_clips.txt" | sed 's/,.*//' > "$out/tsr_clips.txt"
python "$tools/saliency/frame_saliency.py" "$config" "$checkpoint" "$out/tsr_clips.txt" \
    --method tsr --patch-size 14 --out-dir "$out/tsr"
python "$tools/saliency/optical_flow.py" "$out/tsr_clips.txt" --out-dir "$out/flow" \
    --saliency "$out/tsr" --title 'TSR on synthetic clips'

step 'How much of it falls on the legs, whose true pixels are known'
python "$tools/saliency/evidence.py" "$config" "$checkpoint" "$clips" --out-dir "$out/evidence" \
    --methods gradcam input_gradient integrated_gradients --limit 4

step 'Do they look where the simulated observers look?'
python "$tools/../saliency_metrics_comparison/compare.py" --out "$out/comparison" --synthetic \
    --heatmaps gradcam="$out/heatmaps" layercam="$out/layercam/heatmaps" \
    --fixations "$clips/fixations.csv" --videos "$clips" --sigma 1deg --pixels-per-degree 10

cat <<END

All of it lies in $out (the clips are synthetic):
  synthetic_kth/       videos, 00sequences.txt, true masks (truth/), fixations.csv
  training/            logs and checkpoints
  predictions.pkl      scores of every test sequence
  heatmaps/            manifest.csv and one text file per video, with its .json beside it
  overlays/            the videos under their heatmaps
  contact_sheet.png    look at this first
  tsr/                 per video: maps, strip of frames, time contributions (CSV, PNG), overlay
  flow/                optical flow, results.csv, summary.csv and flow.png
  evidence/            shares on legs and body, deletion and insertion curves
  comparison/          results.csv, summary.csv, pairs.csv, tables for papers

The report, which opens from disk: $(realpath "$out")/comparison/report/index.html
END

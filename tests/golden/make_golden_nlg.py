"""Regenerates nlg.json: figures of generated text, each by the program whose form we follow.

    pip install sacrebleu==2.6.0 pyter3==0.3 pycocoevalcap==1.2 future==1.0.0
    python make_golden_nlg.py --out . --e2e-metrics FOLDER --generation-eval FOLDER

The folders are checkouts of tuetschek/e2e-metrics and WebNLG/GenerationEval. Needs Java (METEOR 1.5 and the PTB
tokenizer come with pycocoevalcap) and Perl. The sentences are our own.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pycocoevalcap
import pyter
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
from sacrebleu.metrics import BLEU, CHRF, TER

METEOR = Path(next(iter(pycocoevalcap.__path__)), "meteor/meteor-1.5.jar")

# Name, then segments of a hypothesis and its references.
SETS = {
    "restaurants": [
        ("The Old Lantern is a cheap tea room by the harbour.", [
            "The Old Lantern is a tea room near the harbour with low prices.",
            "By the harbour you will find the Old Lantern, a cheap tea room.",
            "A tea room by the harbour, the Old Lantern, is cheap.",
        ]),
        ("Marigold serves fine Greek food and families are welcome.", [
            "Families are welcome at Marigold, which serves Greek food.",
            "Marigold, a family-friendly place, serves good Greek food.",
        ]),
        ("Near the mill there is a pub that the customers rated 4 out of 5.", [
            "Rated 4 out of 5 by its customers, the pub is near the mill.",
            "There's a pub near the mill; its customers rate it 4 out of 5.",
            "The pub near the mill has a rating of 4 out of 5.",
            "A pub with a 4-out-of-5 rating lies near the mill.",
        ]),
    ],
    "contractions, prices, hyphens": [
        ("It's a kid-friendly bar, isn't it? Lunch is £20-25 ...", [
            "This bar is kid-friendly, and lunch costs £20-£25.",
            "It isn't only a bar: it's child-friendly, with lunch for 20 - 25 pounds!",
        ]),
        ("They don't serve R&B fans' 3-course meals (under $9.50).", [
            "They do not serve three-course meals under $9.50 to R&B fans.",
        ]),
    ],
    "stems and order": [
        ("the tower was completed in 1931 and stands in the northern city of aalby .", [
            "completed in 1931 , the tower stands in aalby , a city in the north .",
            "standing in aalby in the north , the tower is a city tower and its completion was in 1931 .",
        ]),
        ("his daughters and his sons own and operate the two running mills of the river", [
            "the sons and daughters of the owner are operating two mills on the river which run",
        ]),
        ("a b c d e f g h i j", ["f g h i j a b c d e", "j i h g f e d c b a"]),
    ],
    "abbreviations and other letters": [
        ("Dr. J. Ågren moved to Gdańsk, e.g. in Jan. 1,999; he's from the U.S. The end.", [
            "In Jan. 1,999 Dr. Ågren moved (from the U.S.) to Gdańsk. The end...",
            "J. Ågren, a doctor from the U.S., moved to Gdańsk in January 1,999.",
        ]),
        ("Ünlü-Çay costs €3.50 — cheap!", ["“Ünlü-Çay” is cheap: €3.50.", "The price of Ünlü-Çay – €3.50 – is low."]),
    ],
    "the same": [("Two identical lines, nothing else.", ["Two identical lines, nothing else."])],
    "nothing in common": [("entirely other words stand here", ["My hypothesis shares not one of them."])],
    "one word": [("Yes", ["Yes", "Yes , it is ."])],
    "clipped": [("the the the the the", ["the cat is on the mat", "there is a cat"])],
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--e2e-metrics", type=Path, required=True)
    parser.add_argument("--generation-eval", type=Path, required=True)
    args = parser.parse_args()
    sys.path.insert(0, str(args.e2e_metrics))
    sets = []
    for name, segments in SETS.items():
        hypotheses, references = [h for h, _ in segments], [r for _, r in segments]
        expected = {
            **e2e(hypotheses, references), **coco(hypotheses, references), **sacre(hypotheses, references),
            "bleu-moses": moses(args.generation_eval, hypotheses, references), "ter": pyter_mean(hypotheses, references),
        }  # fmt: skip
        sets.append({"name": name, "hypotheses": hypotheses, "references": references, "expected": expected})
    text = json.dumps({"sets": sets}, indent=1, ensure_ascii=False)
    (args.out / "nlg.json").write_text(text + "\n", encoding="utf-8")


def e2e(hypotheses, references):
    from metrics.pymteval import BLEUScore, NISTScore

    scores = {}
    for name, score in {"bleu": BLEUScore(), "nist": NISTScore()}.items():
        for hypothesis, refs in zip(hypotheses, references):
            score.append(hypothesis, refs)
        try:
            scores[name] = score.score()
        except ZeroDivisionError:
            scores[name] = None
    return scores


def coco(hypotheses, references):
    captions = lambda texts: {i: [{"caption": text} for text in lines] for i, lines in enumerate(texts)}
    gts, res = (PTBTokenizer().tokenize(captions(texts)) for texts in (references, [[h] for h in hypotheses]))
    return {
        "rouge-l": float(Rouge().compute_score(gts, res)[0]), "cider": float(Cider().compute_score(gts, res)[0]),
        "meteor-exact-stem": meteor([res[i][0] for i in res], [gts[i] for i in gts]),
    }  # fmt: skip


def meteor(hypotheses, references):
    command = ["java", "-jar", str(METEOR), "-", "-", "-stdio", "-l", "en", "-norm", "-m", "exact stem"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as jar:

        def ask(line):
            jar.stdin.write(line + "\n")
            jar.stdin.flush()
            return jar.stdout.readline().strip()

        lines = [ask(" ||| ".join(["SCORE", *refs, hyp])) for hyp, refs in zip(hypotheses, references)]
        ask(" ||| ".join(["EVAL", *lines]))
        for _ in lines[1:]:
            jar.stdout.readline()
        total = float(jar.stdout.readline())
        jar.stdin.close()
    return total


def sacre(hypotheses, references):
    n_streams = max(map(len, references))
    streams = [[refs[i] if i < len(refs) else None for refs in references] for i in range(n_streams)]
    metrics = {"sacrebleu": BLEU(), "ter-tercom": TER(), "chrf": CHRF(), "chrf++": CHRF(word_order=2)}
    return {name: metric.corpus_score(hypotheses, streams).score for name, metric in metrics.items()}


def moses(folder, hypotheses, references):
    """The program prints two decimals; a missing reference is the first one again, which changes nothing."""
    with tempfile.TemporaryDirectory() as place:
        for i in range(max(map(len, references))):
            lines = [refs[i] if i < len(refs) else refs[0] for refs in references]
            Path(place, f"reference{i}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        script = folder / "metrics/multi-bleu-detok.perl"
        text = "\n".join(hypotheses) + "\n"
        run = subprocess.run(["perl", str(script), f"{place}/reference"], input=text.encode(), capture_output=True)
    return float(re.search(rb"BLEU = ([0-9.]+),", run.stdout)[1])


def pyter_mean(hypotheses, references):
    words = lambda text: " ".join(re.split(r"(\W)", text.lower())).split()
    best = [min(pyter.ter(words(hyp), words(ref)) for ref in refs) for hyp, refs in zip(hypotheses, references)]
    return sum(best) / len(best)


if __name__ == "__main__":
    main()

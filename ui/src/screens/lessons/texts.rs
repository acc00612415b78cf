//! The words of the lessons. A step has at most 80 of them, and says what to do.

/// The words of one lesson.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The question it answers.
    pub question: &'static str,
    /// Its steps.
    pub steps: &'static [&'static str],
}

/// Why low rank misses outliers.
pub const LOW_RANK: Text = Text {
    question: "Why does low rank miss outliers?",
    steps: &[
        "W is three smooth waves plus twelve spikes at random places. Orange is positive, blue negative, grey \
         zero. A low-rank update adds up a few patterns; each is one column times one row. Drag the rank from 0 to \
         3: the waves appear in “Low rank”, and they vanish from “What is left”.",
        "Drag on to rank 12. The spikes hardly fade: every spike is a pattern of its own, and each further rank costs \
         48 numbers. Watch the line “rank alone” in the plot: it falls fast to rank 3, then slowly.",
        "The rank is 3 now, as many as there are waves. Drag the entries. Each costs one number and may stand anywhere. \
         The first twelve are the spikes, and with the last of them the error drops. More entries only chase noise.",
        "Now both are yours. Find the cheapest way to an error below 5 %: first with rank alone, then with entries too. \
         This is the idea of DSEE: a low-rank update for what is smooth, and a sparse one for what stands out.",
    ],
};

/// GreBsmo sweep by sweep.
pub const SWEEPS: Text = Text {
    question: "How are the entries found?",
    steps: &[
        "Nobody tells the algorithm where the spikes are. GreBsmo takes turns: fit a low-rank part to W without S, then \
         let S be the largest entries of what is left. Press Step for one sweep. Green rings are planted spikes \
         that S has found, red rings are mistakes.",
        "Press Play, or drag the sweep. At a low rank much of the smooth part is still left over, so some entries of S are \
         wrong. When a rank has nothing more to gain, the rank grows, and the mistakes are given up.",
        "The positions that S has at the end are Ω. In a real run this is done once for every matrix, before tuning. The \
         positions then stay fixed, and only the numbers on them are trained. Press New matrix: is every spike \
         always found?",
    ],
};

/// The budget game.
pub const BUDGET: Text = Text {
    question: "Rank or entries: what should a budget buy?",
    steps: &[
        "You have 240 numbers. One rank costs 48 of them, one entry costs one. Drag the rank: whatever is left goes to \
         entries. Where is the error smallest? Guess before you drag.",
        "Try the other matrices. A smooth one wants rank, a spiky one wants entries, and a mixed one wants some of \
         both. There is no best split for all: it depends on the matrix.",
        "Be careful with what this shows. It measures how well numbers copy one small matrix. An update is trained \
         for a task, and what counts there is accuracy, which you can only find out by a run. The paper takes few \
         entries, 16 for each matrix, beside a low rank.",
    ],
};

/// Prune and retune.
pub const PRUNE: Text = Text {
    question: "What does pruning cost, and what brings it back?",
    steps: &[
        "This trains the built-in model on your machine, with the update of DSEE: first it is tuned, then the least \
         important weights are set to zero, then the update is tuned again. Choose how many weights go, and press \
         Play.",
        "Watch the three bars. Right after pruning the model is worse: nothing had time to adapt. Retuning changes \
         no pruned weight and adds none. The small update alone learns to make up for the loss.",
        "Reset, drag the share of zeros higher, and play again. Every try stays in the picture. From which share on \
         does retuning no longer bring everything back?",
    ],
};

/// Switch heads off.
pub const HEADS: Text = Text {
    question: "What does one attention head do?",
    steps: &[
        "The model has 2 layers with 4 attention heads each. Eight sentences are judged below, with all heads at work. \
         Drag the head: the chosen one is switched off, and everything is judged again.",
        "Press Play to try one head after the other, then whole layers. A verdict that turns round is marked. Some heads \
         hardly matter, others carry a construction: look for negations and for “but”.",
        "Heads that hardly matter can be removed for good: that is structured pruning, and it saves time, not only \
         numbers. But eight sentences prove little. Runs score every head on all training data before they \
         remove any.",
    ],
};

/// Write from meaning.
pub const WRITING: Text = Text {
    question: "How does a decoder choose its words?",
    steps: &[
        "A decoder writes one token after the other, each from all before it. The built-in one knows the language of \
         descriptions, but not what a meaning is. Teach it: the run takes a minute. Then compare what it writes before \
         and after tuning. Which attributes does each text name?",
        "At 0 it takes the likeliest token every time. Drag the temperature: now tokens are drawn, and their logits are \
         divided by it first. Low temperatures stay close to the likeliest text, high ones flatten the odds. From which \
         temperature on does the tuned decoder say something that is not in the meaning?",
        "Press Play to walk through all temperatures. Every draw has the same seed, so each text comes back. Beam search \
         and more meanings are on the screen Try it.",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_at_most_eighty_words() {
        for text in [LOW_RANK, SWEEPS, BUDGET, PRUNE, HEADS, WRITING] {
            assert!(text.question.ends_with('?'), "{}", text.question);
            assert!((2..=4).contains(&text.steps.len()), "{}", text.question);
            for step in text.steps {
                let n_words = step.split_whitespace().count();
                assert!((10..=80).contains(&n_words), "{n_words} words: {step}");
            }
        }
    }
}

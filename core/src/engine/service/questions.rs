//! Commands whose answers take longer: they wait in line, and one piece of the first is done at a time.

use std::collections::VecDeque;
use std::future::Future;

use super::pieces::{Pieces, Rest};
use super::refusal::problem;
use super::{Engine, Host, Refusal, Reply, say};
use crate::protocol::{Command, Event, RunId};

/// A command that is being answered.
pub struct Question {
    command: Command,
    /// The run it is about: without it there is no answer.
    about: Option<RunId>,
    pieces: Pieces<Result<Reply, Refusal>>,
}

impl Engine {
    /// Puts a command in line whose answer `work` finds in pieces.
    pub(super) fn ask<F>(&mut self, command: &Command, about: Option<RunId>, work: impl FnOnce(Rest) -> F)
    where
        F: Future<Output = Result<Reply, Refusal>> + 'static,
    {
        let pieces = Pieces::new(work);
        self.questions.push_back(Question { command: command.clone(), about, pieces });
    }

    /// Does one piece of the first answer.
    pub(super) async fn advance_question(&mut self, host: &mut impl Host) {
        let Some(question) = self.questions.front_mut() else { return };
        let outcome = question.pieces.advance().await;
        question.pieces.told().into_iter().for_each(|event| say(host, event));
        let Some(outcome) = outcome else { return };
        let question = self.questions.pop_front();
        match (outcome, question) {
            (Ok(reply), _) => host.tell(reply),
            (Err(refusal), Some(question)) => self.refuse(question.command, refusal, host),
            (Err(_), None) => unreachable!("the question was first in line"),
        }
    }

    /// Ends the writing of a text after the token under way.
    pub(super) fn stop_writing(&mut self, request: u64) -> Result<(), Refusal> {
        let is_it = |question: &&Question| matches!(question.command, Command::Write { request: r, .. } if r == request);
        let question = self.questions.iter().find(is_it).ok_or_else(|| {
            Refusal::because("there is no text to stop: it is finished, or was never begun")
        })?;
        question.pieces.stop();
        Ok(())
    }

    /// Gives up what is asked about a run that is thrown away.
    pub(super) fn cancel_questions(&mut self, run: RunId, host: &mut impl Host) {
        let all = std::mem::take(&mut self.questions).into_iter();
        let (cancelled, others): (VecDeque<_>, _) = all.partition(|question| question.about == Some(run));
        self.questions = others;
        for Question { command, .. } in cancelled {
            let problems = vec![problem(format!("run {run} was discarded before this was done"))];
            say(host, Event::Rejected { command, problems });
        }
    }
}

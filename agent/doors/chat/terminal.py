"""A conversation at a terminal: the line editor, the foot of the screen, and what is printed above them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import has_completions
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.patch_stdout import patch_stdout

from agent.doors.chat.commands import commands
from agent.doors.chat.driving import Left
from agent.doors.chat.notices import state_line
from agent.doors.chat.piped import asking
from agent.doors.chat.turns import LONGEST, At, answers, tidy, too_long
from agent.doors.outlet import Outlet
from agent.doors.paper import Paper, paper_for
from tools.language import language_of, speaking, tr

if TYPE_CHECKING:
    from agent.documents import Pending, RunDocument
    from agent.doors.chat.conversation import Conversation
    from agent.doors.chat.history import HistoryFile
    from tools.redact import Redaction

_REFRESH_S = 0.5
_CALM_S = 0.7
"""A yes or no that comes sooner was meant for what was asked before."""
_MENU = 4
"""Lines kept free for completions."""
_RUN_NAMED = ("use",)
_QUESTION_NAMED = ("approve", "deny")


class Screen:
    """One person's terminal."""

    shows_ends = True

    def __init__(self, redaction: Redaction, history: HistoryFile) -> None:
        self._redaction = redaction
        self._talk: Conversation | None = None
        self._at = At()
        self._changed = 0.0
        """When the prompt was last put in another's place."""
        self._prompt: PromptSession[str | None] = PromptSession(
            history=_Kept(history),
            key_bindings=self._keys(),
            completer=_Commands(lambda: self._talk),
            complete_while_typing=True,
            multiline=True,
            prompt_continuation="  ",
            bottom_toolbar=self._foot,
            refresh_interval=_REFRESH_S,
            reserve_space_for_menu=_MENU,
        )

    def paper(self) -> Paper:
        """Above the prompt, as wide as the terminal is now."""
        return paper_for(Outlet(sys.stdout, self._redaction))

    def converse(self, talk: Conversation, begin: Callable[[], None]) -> None:
        """Until the person leaves, or `leave` is called. `begin`: what is shown first."""
        self._talk = talk
        with patch_stdout(raw=True):
            begin()
            while not talk.over:
                try:
                    self._at = talk.standing()
                    line = self._prompt.prompt(self._message())
                except KeyboardInterrupt:
                    self._how_to_leave()
                    continue
                except EOFError:
                    return
                if line is None:
                    self._changed = time.monotonic()
                elif line.strip():
                    self._take(talk, line)

    def _take(self, talk: Conversation, line: str) -> None:
        if answers(line) and time.monotonic() - self._changed < _CALM_S:
            with talk.speaking():
                self.paper().line(tr("The question has just changed: answer it again."))
            return
        self._changed = 0.0  # what is asked next follows from this turn
        try:
            talk.turn(line, self._at)
        except KeyboardInterrupt:
            with talk.speaking():
                self.paper().line(tr("Interrupted. What was begun before that stands in the record: /status"))

    def leave(self) -> None:
        """End the conversation from a signal: nothing is lost."""
        app = self._prompt.app
        if app.is_running and app.loop is not None:
            app.loop.call_soon_threadsafe(self._exit, Left())
        else:
            raise Left

    def notice(self, text: str) -> None:
        self.paper().line(text)

    def question(self, pending: Pending) -> None:
        self.paper().question(pending)
        self.nudge()

    def ended(self, document: RunDocument) -> None:
        self.paper().report(document)

    def nudge(self) -> None:
        """Ask anew, where nothing is typed yet and something else is to be asked."""
        app = self._prompt.app
        if not app.is_running or app.loop is None:
            return
        with suppress(RuntimeError):  # the prompt was just answered
            app.loop.call_soon_threadsafe(self._exit, None)

    def _exit(self, error: BaseException | None) -> None:
        app = self._prompt.app
        done = app.future is None or app.future.done()
        if done or self._talk is None:
            return
        if error is None:
            if not self._prompt.default_buffer.text and self._talk.standing() != self._at:
                app.exit(result=None)
        else:
            app.exit(exception=error)

    def _message(self) -> FormattedText:
        if self._at.posed and self._talk is not None:
            with self._talk.speaking():
                return FormattedText([("bold", f"{asking(self._at.posed, self._at.question)} ")])
        return FormattedText([("bold", "> ")])

    def _how_to_leave(self) -> None:
        talk = self._talk
        if talk is None:
            return
        with talk.speaking():
            if talk.driver.busy:
                told = tr("Run {run} goes on. ^D or /quit leaves it resumable, /cancel ends it.", run=talk.driver.run)
            else:
                told = tr("^D or /quit leaves.")
        self.paper().line(told)

    def _foot(self) -> FormattedText | None:
        talk = self._talk
        view = talk.driver.view if talk is not None and talk.driver.busy else None
        if talk is None or view is None:
            return None
        with speaking(language_of(view.goal)):
            return FormattedText([("", f" {state_line(view)}")])

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter", filter=~has_completions)
        def _send(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("enter", filter=has_completions)
        def _take(event: KeyPressEvent) -> None:
            state = event.current_buffer.complete_state
            if state is not None and state.current_completion is not None:
                event.current_buffer.complete_state = None
            else:
                event.current_buffer.validate_and_handle()

        @keys.add("escape", "enter")
        def _line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add(Keys.BracketedPaste)
        def _paste(event: KeyPressEvent) -> None:
            if len(event.data) > LONGEST:
                self.paper().line(too_long())
            else:
                event.current_buffer.insert_text(tidy(event.data))

        return keys


class _Kept(History):
    """The editor's history, kept in the home."""

    def __init__(self, file: HistoryFile) -> None:
        super().__init__()
        self._file = file

    def load_history_strings(self) -> Iterable[str]:
        return reversed(self._file.read())

    def store_string(self, string: str) -> None:
        if len(string) <= LONGEST:
            self._file.add(string)


class _Commands(Completer):
    """Completes commands, the ids of runs, and those of open questions."""

    def __init__(self, talk: Callable[[], Conversation | None]) -> None:
        self._talk = talk

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text, talk = document.text_before_cursor, self._talk()
        if not text.startswith("/") or "\n" in text or talk is None:
            return
        name, space, rest = text[1:].partition(" ")
        with talk.speaking():
            if not space:
                for one, (follows, line) in commands().items():
                    if one.startswith(name):
                        yield Completion(one, start_position=-len(name), display=f"/{one} {follows}", display_meta=line)
                return
        word = rest.rpartition(" ")[2]
        for known in self._names(talk, name):
            if known.startswith(word):
                yield Completion(known, start_position=-len(word))

    def _names(self, talk: Conversation, name: str) -> list[str]:
        if name in _RUN_NAMED:
            return [line.id for line in talk.session.runs().runs]
        if name in _QUESTION_NAMED and talk.run is not None:
            return [p.id for p in talk.questions(talk.session.view(talk.run))]
        return []

# SPDX-License-Identifier: MIT
@0xbca6b25079f94287;
using A = import "annotations.capnp";
using import "stdio.capnp".StdIO;
using import "process.capnp".ProcessHandle;

enum LineEnd {
  # How a person ended a line.
  entered @0;
  # By Enter.
  interrupted @1;
  # By Ctrl-C.
  inputEnded @2;
  # By Ctrl-D on an empty line, or the input is at its end.
}

enum TerminalMode {
  # What is made of the keys.
  line @0;
  # Lines, edited and shown as they are typed.
  raw @1;
  # Nothing: each byte comes as it is typed, nothing is shown, and no key has a meaning, Ctrl-C
  # neither.
}

interface TerminalSession @0xaac1e45f0025b706 $A.home(service) {
  # A person at a terminal.
  #
  # All sessions of a terminal share its keyboard and its screen.  Who asked for input
  # first gets it; while a program is in the foreground, it gets all.  A session has its own
  # history, mode and programs.  Programs that know nothing of terminals get a StdIO
  # from `openProgram`.
  #
  # What is written is shown with each newline going to the start of the next line.  What is
  # written while a line is edited appears above it.

  readLine @0 ReadLineParams -> ReadLineResults $A.pending;
  # Lets the person edit a line: cursor keys, Home, End, Ctrl-A E B F, words with Alt-B
  # and Alt-F, kill and yank with Ctrl-K U W Y, history with the arrows and Ctrl-R,
  # completion with Tab.  A line that was entered joins the history.  If there is no
  # person, it is the next line of the input as it comes.

  read @1 ReadParams -> ReadResults $A.pending;
  # Completes when there is input: some bytes, or none at its end.  In line mode they are
  # those of a line that was entered, with its newline.

  write @2 WriteParams -> WriteResults $A.pending;
  # Completes when all bytes are accepted, in the order of the calls.

  setMode @3 SetModeParams -> SetModeResults;
  # Chooses what `read` gives.  `readLine` is the same in both modes.

  size @4 () -> SizeResults;
  # The size of the window.

  waitResize @5 WaitResizeParams -> WaitResizeResults $A.pending;
  # Completes when the size is another than the given one; at once if it is.

  addHistory @6 AddHistoryParams -> AddHistoryResults;
  # Adds a line to the history, as if it had been entered: to restore what was stored.

  historyLine @7 HistoryLineParams -> HistoryLineResults;
  # Reads a line of the history.

  openProgram @8 () -> OpenProgramResults;
  # Makes a StdIO for a program that is going to be started.  Its writes are shown at once; its
  # reads wait until it is in the foreground.  When the last hold of the StdIO is released, the
  # program is forgotten.

  foreground @9 ForegroundParams -> ForegroundResults;
  # Gives the keyboard to a program, until it ends or its StdIO is released: Ctrl-C kills
  # it, Ctrl-D on an empty line is the end of its input.  What a program doesn't read is
  # kept for who reads next.

  openSession @10 () -> OpenSessionResults;
  # Makes another session on the same terminal.

  setCompleter @11 SetCompleterParams -> SetCompleterResults;
  # Names whom `readLine` asks at Tab from now on, in this session; without one Tab rings.

  waitInterrupt @12 () -> () $A.pending;
  # Completes when Ctrl-C is typed while nobody reads and no program is in the foreground: for
  # who is busy and would stop.  Of several sessions the one that asked last is told.  One call
  # waits per session: an earlier one ends with `disconnected`.

  struct ReadLineParams {
    prompt @0 :Text $A.maxBytes(512);
    # What stands before the line.  Escape sequences may change how it looks.
  }
  struct ReadLineResults {
    end @0 :LineEnd;
    # How it ended.
    line @1 :Text $A.maxBytes(4096);
    # The line, without its newline, if it was entered; else empty.  Pasted text may have
    # newlines and other control characters in it.
  }
  struct ReadParams {
    maxBytes @0 :UInt32 $A.unit("bytes");
    # The most to return, 1 to 4096.
  }
  struct ReadResults {
    data @0 :Data $A.maxBytes(4096);
    # What came; empty at the end of input.
  }
  struct WriteParams {
    data @0 :Data $A.maxBytes(16384);
    # What to show.
  }
  struct WriteResults {}
  struct SetModeParams {
    mode @0 :TerminalMode;
    # The mode.
  }
  struct SetModeResults {}
  struct SizeResults {
    columns @0 :UInt16;
    # Width in characters, 0 if unknown.
    rows @1 :UInt16;
    # Height in characters, 0 if unknown.
    isTerminal @2 :Bool;
    # Whether there is a person, not a file or a pipe.
  }
  struct WaitResizeParams {
    columns @0 :UInt16;
    # The width that the caller knows.
    rows @1 :UInt16;
    # The height that the caller knows.
  }
  struct WaitResizeResults {
    columns @0 :UInt16;
    # The new width.
    rows @1 :UInt16;
    # The new height.
  }
  struct AddHistoryParams {
    line @0 :Text $A.maxBytes(4096);
    # The line.  Empty ones and a repetition of the last one are left out.
  }
  struct AddHistoryResults {}
  struct HistoryLineParams {
    age @0 :UInt32;
    # 0 for the newest line.
  }
  struct HistoryLineResults {
    found @0 :Bool;
    # Whether the history goes back that far.
    line @1 :Text $A.maxBytes(4096);
    # The line.
  }
  struct OpenProgramResults {
    program @0 :UInt32;
    # Its number in this session, for `foreground`.
    stdio @1 :StdIO;
    # The program's input and output.
  }
  struct ForegroundParams {
    program @0 :UInt32;
    # From `openProgram`; otherwise `invalidArgument`.
    process @1 :ProcessHandle;
    # Whom Ctrl-C kills.
  }
  struct ForegroundResults {}
  struct SetCompleterParams {
    completer @0 :Completer;
    # Knows how a line can go on.
  }
  struct SetCompleterResults {}
  struct OpenSessionResults {
    session @0 :TerminalSession;
    # The session: in line mode, with an empty history.
  }
}

interface Completer @0xee0cd9a2045be749 $A.home(service) {
  # Knows how a line can go on: served by who reads lines.

  complete @0 CompleteParams -> CompleteResults;
  # Answers Tab.  Keys that are typed in the meantime wait, so the answer should be quick;
  # Ctrl-C gives it up.

  struct CompleteParams {
    line @0 :Text $A.maxBytes(4096);
    # The whole line.
    cursor @1 :UInt32 $A.unit("bytes");
    # Where in it the cursor stands.
  }
  struct CompleteResults {
    start @0 :UInt32 $A.unit("bytes");
    # What is completed: the bytes from here to the cursor.
    candidates @1 :Text $A.maxBytes(8192);
    # What may stand there instead, each in whole, separated by newlines; empty: nothing.  Behind
    # a tab a candidate may have a note for the person, shown where candidates are listed.
  }
}

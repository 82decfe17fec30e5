/** The page around the canvas: the next task, the tools, the masks. */

import { type ReactNode, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { Link, useLocation } from "wouter";

import { type Schemas, server, take } from "../client";
import { runCommand, showAlone } from "../commands";
import { acceptProposals, dropProposals, proposedMasks } from "../proposals";
import { type Command, comboOf, commandOf, type Remapped } from "../shortcuts";
import { Workbench } from "../workbench";
import { CandidateBar } from "./CandidateBar";
import { Canvas } from "./Canvas";
import { ConflictPanel } from "./ConflictPanel";
import { HelpSheet } from "./HelpSheet";
import { messageOf, Notice, useLoaded } from "./loading";
import { MaskPanel } from "./MaskPanel";
import { useHere } from "./session";
import { StatusLine } from "./StatusLine";
import { Toolbar } from "./Toolbar";
import { type Undecided, UndecidedDialog } from "./UndecidedDialog";

/** With nothing to do, the queue is asked again after this. */
const ASK_AGAIN_MS = 4000;

interface Props {
  readonly projectId: number;
  readonly imageId: number | null;
}

async function nextTask(projectId: number, imageId: number | null): Promise<Schemas["Task"] | null> {
  if (imageId !== null) {
    const params = { path: { image_id: imageId } };
    return take(server.POST("/api/v1/images/{image_id}/task", { params, body: { kind: "annotate" } }));
  }
  const params = { path: { project_id: projectId } };
  // Status 204: nothing is left to do.
  const asked: Promise<Schemas["Task"] | undefined> = take(
    server.POST("/api/v1/projects/{project_id}/queue/next", { params, body: { kind: "annotate", resume: true } }),
  );
  return (await asked) ?? null;
}

export function AnnotatePage({ projectId, imageId }: Props): ReactNode {
  const { info, log, person, onSignedOut } = useHere();
  const { model } = info;
  const bench = useMemo(
    () => (model === null ? null : new Workbench(log, model, person.id, onSignedOut)),
    [log, model, person.id, onSignedOut],
  );
  useEffect(() => {
    bench?.start();
    return () => bench?.stop();
  }, [bench]);
  if (bench === null) return <main className="page"><Notice text="The server has no model; start it with one." /></main>;
  return <Annotating bench={bench} projectId={projectId} imageId={imageId} />;
}

function Annotating({ bench, projectId, imageId }: Props & { bench: Workbench }): ReactNode {
  const { log } = useHere();
  const { editor } = bench;
  const { task, trouble } = useSyncExternalStore(bench.subscribe, bench.getSnapshot);
  const project = useLoaded(`annotate-${projectId}`, () =>
    take(server.GET("/api/v1/projects/{project_id}", { params: { path: { project_id: projectId } } })),
  );
  const [error, setError] = useState("");
  const [isEmpty, setEmpty] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [asking, setAsking] = useState<Undecided | null>(null);
  const [remapped, setRemapped] = useState<Remapped>({});
  const [, goTo] = useLocation();
  const idleS = project.data?.settings.idle_after_s;
  const kind = project.data?.kind ?? "annotate";
  const isApart = kind !== "correct";
  useEffect(() => {
    editor.see((state) => ({ ...state, look: { ...state.look, areProposalsApart: isApart } }));
    if (!isApart) showAlone(editor);
  }, [editor, isApart]);

  const open = useCallback(
    (image: number | null): Promise<void> => {
      if (idleS === undefined) return Promise.resolve();
      return nextTask(projectId, image).then(
        async (next) => {
          setError("");
          setEmpty(next === null);
          if (next !== null) await bench.open(next, idleS * 1000);
        },
      ).catch((reason: unknown) => { setError(messageOf(reason)); });
    },
    [bench, projectId, idleS],
  );
  useEffect(() => {
    void open(imageId);
  }, [open, imageId]);
  useEffect(() => {
    // Pictures may still be coming in.
    if (!isEmpty || task !== null) return;
    const timer = setInterval(() => void open(imageId), ASK_AGAIN_MS);
    return () => { clearInterval(timer); };
  }, [isEmpty, task, open, imageId]);
  useEffect(() => {
    void log.setting<Remapped>("shortcuts").then((kept) => { setRemapped(kept ?? {}); });
  }, [log]);

  const leave = useCallback(
    async (how: () => Promise<void>) => {
      try {
        setError("");
        await how();
        if (imageId === null) await open(null);
        else goTo(`/projects/${projectId}/annotate`);
      } catch (reason) {
        setError(messageOf(reason));
      }
    },
    [goTo, imageId, open, projectId],
  );
  const run = useCallback(
    (command: Command, combo = "") => {
      const isUndecided = isApart && proposedMasks(editor.getSnapshot().state).length > 0;
      if (command === "task.finish" && isUndecided) setAsking("finish");
      else if (command === "task.finish") void leave(() => bench.finish());
      else if (command === "proposed.acceptAll") setAsking(isUndecided ? "all" : null);
      else if (command === "task.skip") void leave(() => bench.skip(""));
      else if (command === "help.show") setHelpOpen(true);
      else if (command === "select.label") document.querySelector<HTMLElement>("#mask-label")?.focus();
      else runCommand(editor, command, combo);
    },
    [bench, editor, isApart, leave],
  );
  useShortcuts(run, remapped, isHelpOpen || asking !== null);
  const decideAll = (name: string, decide: typeof acceptProposals): void => {
    editor.act(name, (state) => decide(state, proposedMasks(state).map((mask) => mask.id)));
    setAsking(null);
    if (asking === "finish") void leave(() => bench.finish());
  };

  const keep = (next: Remapped): void => {
    setRemapped(next);
    void log.keepSetting("shortcuts", next);
  };
  return (
    <main className="annotate" aria-label="Annotate">
      <Toolbar editor={editor} run={run} remapped={remapped} />
      <div className="stage">
        <Canvas bench={bench} />
        <CandidateBar editor={editor} run={run} remapped={remapped} />
        {isEmpty && task === null && <Finished projectId={projectId} />}
        <div className="stage-notices">
          <Notice text={error || trouble} />
          <ConflictPanel editor={editor} />
        </div>
        <StatusLine bench={bench} suggestAfterS={project.data?.settings.suggest_next_after_s ?? 30} />
      </div>
      <MaskPanel
        editor={editor}
        run={run}
        remapped={remapped}
        task={task}
        instructions={project.data?.instructions ?? ""}
        kind={kind}
        labels={project.data?.settings.labels ?? []}
      />
      {asking !== null && (
        <UndecidedDialog
          why={asking}
          count={proposedMasks(editor.getSnapshot().state).length}
          onAccept={() => { decideAll("Accept all", acceptProposals); }}
          onDrop={() => { decideAll("Drop all proposals", dropProposals); }}
          onBack={() => { setAsking(null); }}
        />
      )}
      {isHelpOpen && <HelpSheet remapped={remapped} onChange={keep} onClose={() => { setHelpOpen(false); }} />}
    </main>
  );
}

function Finished({ projectId }: { projectId: number }): ReactNode {
  return (
    <div className="finished card">
      <h1>Nothing left to annotate</h1>
      <p>Every picture of this project is done, skipped, or in somebody else&rsquo;s hands.</p>
      <Link className="button primary" href={`/projects/${projectId}`}>To the pictures</Link>
    </div>
  );
}

/** Keys, unless somebody is typing. */
function useShortcuts(run: (command: Command, combo: string) => void, remapped: Remapped, isOff: boolean): void {
  useEffect(() => {
    if (isOff) return;
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (target.closest("input:not([type=checkbox], [type=range]), textarea, select, [contenteditable]") !== null) return;
      const combo = comboOf(event);
      const command = combo === null ? null : commandOf(combo, remapped);
      if (combo === null || command === null) return;
      // Space and Enter on a button press that button; arrows on a slider move it.
      if (["Space", "Enter"].includes(combo) && target.closest("button, a, summary, [type=checkbox]") !== null) return;
      if (combo.includes("Arrow") && target.closest("[type=range]") !== null) return;
      event.preventDefault();
      run(command, combo);
    };
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("keydown", onKey);
    };
  }, [run, remapped, isOff]);
}

/** The loop of a project: its turns, what people needed, how good the models are, which one is current. */

import type { ReactNode } from "react";

import { type Line, servedAfter, turnPlaces } from "../curves";
import { type Schemas, server, take } from "../client";
import { Chart } from "./Chart";
import { Show, useLoaded } from "./loading";

type Turn = Schemas["EngineTurn"];

const number = (value: number | null, digits: number): string => (value === null ? "–" : value.toFixed(digits));
const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
const words = (stage: string): string => stage.replace("_", " ");

export function EnginePage({ projectId }: { projectId: number }): ReactNode {
  const engine = useLoaded(
    `engine-${projectId}`,
    () => take(server.GET("/api/v1/projects/{project_id}/engine", { params: { path: { project_id: projectId } } })),
    15_000,
  );
  return (
    <main className="page">
      <h1>Engine</h1>
      <Show loaded={engine}>
        {(all) => (
          <>
            <p className="quiet">
              Stage: {words(all.stage)}. {all.waiting} pictures wait. People&rsquo;s masks retrain the model, and the better model
              comes back to people.
            </p>
            {all.turns.length === 0 && <p>No turn has ended yet. The command <code>anymask engine turn</code> takes one.</p>}
            {all.turns.length > 0 && <Curves engine={all} />}
            {all.turns.length > 0 && <Turns turns={all.turns} />}
            <Detectors turns={all.turns} />
            <Deployments deployments={all.deployments} />
          </>
        )}
      </Show>
    </main>
  );
}

function Curves({ engine }: { engine: Schemas["EngineView"] }): ReactNode {
  const { turns, paper } = engine;
  const own = (value: (turn: Turn) => number | null): Line => ({
    name: "this project",
    points: turns.flatMap((turn) => {
      const y = value(turn);
      return y === null ? [] : [[turn.number, y] as const];
    }),
  });
  const published = (ends: Record<string, readonly number[]>): Line[] =>
    Object.entries(ends).map(([stage, values]) => ({ name: "the paper", points: turnPlaces(turns, stage, values) }));
  return (
    <section className="charts" aria-label="Curves">
      <Chart title="Seconds a mask" lines={[own((turn) => turn.seconds_a_mask), ...published({ assisted: paper.seconds })]} />
      <Chart title="Masks a picture" lines={[own((turn) => turn.masks_a_picture), ...published(paper.masks)]} />
      <Chart title="Held-out IoU of the served model" lines={[servedAfter(turns, (turn) => [turn.before, turn.after])]} />
      <Chart
        title="Clicks that a mask needs, held out"
        lines={[servedAfter(turns, (turn) => [turn.clicks_to_iou_before, turn.clicks_to_iou])]}
      />
    </section>
  );
}

function Turns({ turns }: { turns: readonly Turn[] }): ReactNode {
  return (
    <section>
      <h2>Turns</h2>
      <div className="scroll" tabIndex={0} role="region" aria-label="Turns">
        <table>
          <thead>
            <tr>
              {["Turn", "Stage", "Pictures", "Masks", "Alone", "Seconds a mask", "Clicks a mask", "Masks a picture", "IoU", "Rise, interval", "Promoted"].map(
                (title) => <th key={title} scope="col">{title}</th>,
              )}
            </tr>
          </thead>
          <tbody>
            {turns.map((turn) => (
              <tr key={turn.number}>
                <th scope="row">{turn.number}</th>
                <td>{words(turn.stage)}</td>
                <td>{turn.pictures}</td>
                <td>{turn.masks}</td>
                <td>{turn.masks_alone}</td>
                <td>{number(turn.seconds_a_mask, 1)}</td>
                <td>{number(turn.clicks_a_mask, 1)}</td>
                <td>{number(turn.masks_a_picture, 1)}</td>
                <td>{`${number(turn.before, 3)} to ${number(turn.after, 3)}`}</td>
                <td>{`${signed(turn.after - turn.before)} [${signed(turn.low)}, ${signed(turn.high)}]`}</td>
                <td><span className={`badge badge-${turn.promoted ? "accept" : "reject"}`}>{turn.promoted ? "yes" : "no"}</span></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ul className="quiet">
        {turns.map((turn) => <li key={turn.number}>Turn {turn.number}: {turn.reason}</li>)}
        {turns.filter((turn) => turn.no_detector !== "").map((turn) => (
          <li key={`detector-${turn.number}`}>Turn {turn.number}: no detector: {turn.no_detector}</li>
        ))}
      </ul>
    </section>
  );
}

function Detectors({ turns }: { turns: readonly Turn[] }): ReactNode {
  const rows = turns.flatMap(({ number: turn, detector }) => (detector === null ? [] : [{ turn, ...detector }]));
  if (rows.length === 0) return null;
  return (
    <section>
      <h2>Detectors</h2>
      <p className="quiet">
        Trained at the end of a turn, for the people of the next: recall and precision of its boxes at the confidence from which
        they are shown, on pictures that it did not learn from.
      </p>
      <div className="scroll" tabIndex={0} role="region" aria-label="Detectors">
        <table>
          <thead>
            <tr>
              {["Turn", "Shown from", "Recall", "Precision", "Boxes a picture", "Learned from", "Measured on"].map((title) => (
                <th key={title} scope="col">{title}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={one.turn}>
                <th scope="row">{one.turn}</th>
                <td>{one.confidence.toFixed(2)}</td>
                <td>{one.recall.toFixed(2)}</td>
                <td>{one.precision.toFixed(2)}</td>
                <td>{one.boxes_a_picture.toFixed(1)}</td>
                <td>{one.pictures}</td>
                <td>{one.held_pictures}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Deployments({ deployments }: { deployments: readonly Schemas["Deployment"][] }): ReactNode {
  return (
    <section>
      <h2>Models</h2>
      <div className="scroll" tabIndex={0} role="region" aria-label="Models">
        <table>
          <thead>
            <tr>{["Since", "Model", "Name", "By", "Note"].map((title) => <th key={title} scope="col">{title}</th>)}</tr>
          </thead>
          <tbody>
            {[...deployments].reverse().map((one, index) => (
              <tr key={one.at + one.model_sha256}>
                <td>{new Date(one.at).toLocaleString()}</td>
                <td>{one.model_sha256.slice(0, 12)}…{index === 0 && <> <span className="badge badge-accept">current</span></>}</td>
                <td>{one.name}</td>
                <td>{one.kind}</td>
                <td>{one.note}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Under the picture: ways of looking at the mask, and the ten ratings. */

import type { ReactNode } from "react";

import { GRADES, keyOf, SCORES, type View, VIEWS } from "../rating";

interface Props {
  readonly view: View;
  readonly isNear: boolean;
  readonly isPromptShown: boolean;
  readonly isBusy: boolean;
  readonly rate: (score: number) => void;
  readonly setView: (view: View) => void;
  readonly zoom: () => void;
  readonly mark: () => void;
}

export function RateBar({ view, isNear, isPromptShown, isBusy, rate, setView, zoom, mark }: Props): ReactNode {
  return (
    <div className="rate-bar">
      <div className="row" role="group" aria-label="How the mask is shown">
        {(Object.keys(VIEWS) as View[]).map((one) => (
          <button key={one} type="button" aria-pressed={one === view} onClick={() => { setView(one); }}>
            {VIEWS[one].title} <kbd>{VIEWS[one].key}</kbd>
          </button>
        ))}
        <span className="grow" />
        <button type="button" aria-pressed={isPromptShown} onClick={mark}>What was asked <kbd>P</kbd></button>
        <button type="button" aria-pressed={isNear} onClick={zoom}>Near <kbd>Z</kbd></button>
      </div>
      <div className="grades" role="group" aria-label="Rating">
        {GRADES.map((grade) => (
          <div key={grade.from} className={`grade grade-${grade.to - grade.from + 1}`}>
            <div className="row">
              {SCORES.filter((score) => score >= grade.from && score <= grade.to).map((score) => (
                <button
                  key={score}
                  type="button"
                  className="score"
                  disabled={isBusy}
                  aria-label={`Rate ${score}: ${grade.title}`}
                  title={`Key ${keyOf(score)}`}
                  onClick={() => { rate(score); }}
                >
                  {score}
                </button>
              ))}
            </div>
            <span className="quiet">{grade.title}</span>
          </div>
        ))}
      </div>
    </div>
  );
}

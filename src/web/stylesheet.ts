import { dark, light, type Palette } from './palette.ts'

/** The one stylesheet of all pages. Only the palette differs between light and dark. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  ${variables(light)}
  --radius: 10px;
  --text: Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  --code: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root { ${variables(dark)} }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  min-height: 100vh;
  min-height: 100dvh;
  display: flex;
  flex-direction: column;
  background: var(--ground);
  color: var(--ink);
  font: 400 1rem/1.55 var(--text);
  overflow-wrap: anywhere;
}
h1, h2, p, ul, dl, dd, fieldset { margin: 0; padding: 0; }
ul { list-style: none; }
a { color: var(--accent); text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: 0.2em; }
a:hover { color: var(--accent-strong); text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
main:focus, .errors:focus { outline: none; }
.errors:focus-visible { outline: 2px solid var(--danger); outline-offset: 2px; border-radius: var(--radius); }
.hidden {
  position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap; border: 0;
}
.skip {
  position: absolute; top: 0.75rem; left: 0.75rem; z-index: 1; padding: 0.6rem 1rem;
  background: var(--surface); border-radius: var(--radius); transform: translateY(-200%);
}
.skip:focus { transform: none; }

/* Pages before somebody is signed in: one column in the middle. */
.entrance { width: 100%; max-width: 27rem; margin: 0 auto; padding: clamp(1.5rem, 9vh, 6rem) 1rem 2rem; flex: 1; }
.brand { display: flex; align-items: center; gap: 0.6rem; color: var(--ink); font-weight: 600; text-decoration: none; }
.brand img { display: block; width: 2rem; height: 2rem; }
.entrance .brand { justify-content: center; margin-bottom: 1.75rem; }
.card {
  background: var(--surface); border: 1px solid var(--line); border-radius: 16px;
  padding: clamp(1.25rem, 5vw, 2.25rem); box-shadow: 0 1px 2px rgb(0 0 0 / 4%), 0 12px 32px rgb(0 0 0 / 5%);
}
.card + .card { margin-top: 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.015em; text-wrap: balance; }
h2 { font-size: 1.0625rem; line-height: 1.35; font-weight: 650; letter-spacing: -0.005em; }
.lead { margin-top: 0.5rem; color: var(--quiet); }
.lead strong { color: var(--ink); font-weight: 600; }
.aside { margin-top: 1.5rem; text-align: center; color: var(--quiet); font-size: 0.9375rem; }
.aside + .aside { margin-top: 0.5rem; }
.foot { padding: 1.25rem 1rem 1.5rem; text-align: center; color: var(--quiet); font-size: 0.8125rem; }

/* Forms. */
form { margin-top: 1.5rem; display: grid; gap: 1.125rem; }
.field { display: grid; gap: 0.375rem; }
.field > .row { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; flex-wrap: wrap; }
.field .row a { font-size: 0.9375rem; }
label { font-weight: 600; font-size: 0.9375rem; }
.hint, .rules { color: var(--quiet); font-size: 0.875rem; line-height: 1.45; }
.rules { display: grid; gap: 0.125rem; padding-left: 1.1rem; list-style: disc; }
.fault { color: var(--danger); font-size: 0.9375rem; font-weight: 500; }
input {
  width: 100%; min-height: 2.875rem; padding: 0.5rem 0.75rem; font: inherit; color: var(--ink);
  background: var(--surface); border: 1px solid var(--edge); border-radius: var(--radius);
}
input:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; border-color: var(--accent); border-radius: var(--radius); }
input[aria-invalid] { border-color: var(--danger); box-shadow: inset 0 0 0 1px var(--danger); }
input[readonly] { color: var(--quiet); background: var(--ground); border-color: var(--line); }
input.code { font: 600 1.5rem/1.2 var(--code); letter-spacing: 0.35em; text-align: center; padding-left: 1.1em; }
button, .button {
  min-height: 2.875rem; padding: 0.5rem 1.25rem; font: inherit; font-weight: 600; cursor: pointer; text-align: center;
  display: inline-flex; justify-content: center; align-items: center; text-decoration: none;
  color: var(--on-accent); background: var(--accent); border: 1px solid transparent; border-radius: var(--radius);
}
button:hover, .button:hover { background: var(--accent-strong); color: var(--on-accent); }
button:focus-visible, .button:focus-visible { border-radius: var(--radius); }
button.plain { color: var(--accent); background: transparent; border-color: var(--edge); }
button.plain:hover { background: var(--accent-soft); color: var(--accent-strong); }
button.grave { color: var(--danger); background: transparent; border-color: var(--danger); }
button.grave:hover { background: var(--danger); color: var(--surface); }
button.small { min-height: 2.25rem; padding: 0.25rem 0.875rem; font-size: 0.9375rem; white-space: nowrap; }
button.link {
  min-height: 1.5rem; padding: 0; white-space: nowrap; color: var(--accent); background: none; border: 0; border-radius: 4px;
  font-weight: 400; text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: 0.2em;
}
button.link:hover { color: var(--accent-strong); text-decoration-thickness: 2px; }
.or { display: flex; align-items: center; gap: 0.75rem; margin-top: 1.25rem; color: var(--quiet); font-size: 0.875rem; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
.or + form { margin-top: 1.25rem; }
.who {
  display: flex; justify-content: space-between; align-items: center; gap: 0.25rem 1rem; flex-wrap: wrap; margin-top: 1rem;
  padding: 0.625rem 0.875rem; background: var(--ground); border: 1px solid var(--line); border-radius: var(--radius); font-size: 0.9375rem;
}
.who span span { display: block; color: var(--quiet); font-size: 0.8125rem; }
.notice, .errors { margin-top: 1.25rem; padding: 0.75rem 1rem; border-radius: var(--radius); border-left: 4px solid var(--accent); background: var(--accent-soft); }
.errors { border-left-color: var(--danger); background: var(--danger-soft); }
.errors h2 { color: var(--danger); font-size: 1rem; }
.errors ul { margin-top: 0.25rem; display: grid; gap: 0.25rem; }
.errors a { color: var(--ink); }
.actions { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; }
form.inline { margin: 0; display: inline-flex; }

/* Pages of somebody who is signed in. */
.bar { background: var(--surface); border-bottom: 1px solid var(--line); }
.bar > div, .room { width: 100%; max-width: 48rem; margin: 0 auto; padding-inline: 1rem; }
.bar .first { display: flex; align-items: center; justify-content: space-between; gap: 0.25rem 1rem; flex-wrap: wrap; padding-block: 0.75rem; }
.bar .me { display: flex; align-items: center; gap: 1rem; color: var(--quiet); font-size: 0.9375rem; }
.bar nav ul { display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
.bar nav a { display: block; padding: 0.5rem 0 0.625rem; color: var(--quiet); text-decoration: none; border-bottom: 3px solid transparent; font-weight: 500; }
.bar nav a:hover { color: var(--ink); border-bottom-color: var(--edge); }
.bar nav a[aria-current] { color: var(--ink); border-bottom-color: var(--accent); font-weight: 600; }
.room { flex: 1; padding-block: clamp(1.5rem, 5vh, 3rem); }
.room > h1 { font-size: 1.75rem; }
.room .card { margin-top: 1.5rem; padding: clamp(1.25rem, 4vw, 1.75rem); }
.room .card form { max-width: 26rem; margin-top: 1.25rem; }
.room .card form.actions { display: flex; max-width: none; }
.room .card form.inline { margin-top: 0; }
.facts { display: grid; gap: 0.875rem; margin-top: 1rem; }
.facts dt { color: var(--quiet); font-size: 0.875rem; }
.list { margin-top: 0.5rem; }
.list > li { display: flex; gap: 0.75rem 1.25rem; align-items: center; justify-content: space-between; padding: 1rem 0; border-top: 1px solid var(--line); }
.list > li:first-child { border-top: 0; }
.list > li:last-child { padding-bottom: 0; }
.list p { color: var(--quiet); font-size: 0.9375rem; }
.list h3 { margin: 0; font-size: 1rem; font-weight: 600; display: flex; flex-wrap: wrap; gap: 0.125rem 0.625rem; align-items: center; }
details { flex: none; text-align: right; }
details[open] { flex: 0 1 22rem; }
summary { cursor: pointer; display: inline-block; padding: 0.25rem 0.5rem; color: var(--accent); font-weight: 600; font-size: 0.9375rem; border-radius: 6px; }
summary::-webkit-details-marker { display: none; }
summary::after { content: "\\25be" / ""; margin-left: 0.35em; }
details[open] > summary::after { content: "\\25b4" / ""; }
summary.danger { color: var(--danger); }
details p { margin-top: 0.5rem; }
summary:hover { background: var(--accent-soft); color: var(--accent-strong); }
.room .card details form { margin-top: 0.5rem; justify-content: flex-end; }
.tag { white-space: nowrap; padding: 0.0625rem 0.5rem; border-radius: 999px; background: var(--accent-soft); color: var(--accent); font-size: 0.8125rem; font-weight: 600; }
@media (min-width: 40rem) {
  .facts > div { display: grid; grid-template-columns: 10rem 1fr; gap: 1rem; align-items: baseline; }
}
@media (max-width: 26rem) {
  .card form > button, .card .actions button, .card .actions .button { width: 100%; }
  .room .card form.inline > button { width: auto; }
  .list > li { align-items: flex-start; flex-wrap: wrap; }
  details, details[open] { flex: 1 0 100%; text-align: left; }
  summary { padding-left: 0; }
}
@media (prefers-reduced-motion: no-preference) {
  html { scroll-behavior: smooth; }
  a, button, input { transition: background-color 120ms, border-color 120ms, color 120ms; }
}
@media (prefers-contrast: more) {
  .card, input, .who { border-color: var(--ink); }
}
@media (forced-colors: active) {
  .bar nav a[aria-current] { border-bottom-color: Highlight; }
}
`.replaceAll(/\n\s*/g, '\n')

function variables(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, color]) => `--${name}: ${color};`)
    .join(' ')
}

import { type Html, html } from '../html.ts'

/** What a mail says, before it is set. Plain text throughout. */
export interface Letter {
  readonly subject: string
  readonly paragraphs: readonly string[]
  /** The one thing to do. */
  readonly action?: { readonly label: string; readonly url: string }
  /** Digits to type in. */
  readonly code?: string
  /** What stands after the action: until when it can be done, who asked, and what to do when it was somebody else. */
  readonly notes: readonly string[]
  /** Why it was sent to whom. */
  readonly reason: string
}

/** A letter as it is sent, in both of its forms. */
export interface SetLetter {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** Sets a letter. Nothing in it is loaded from elsewhere: it tells nobody that it was read. */
export function setLetter(letter: Letter): SetLetter {
  return { subject: letter.subject, text: plain(letter), html: markup(letter).toString() }
}

function plain({ paragraphs, action, code, notes, reason }: Letter): string {
  const parts = [
    ...paragraphs,
    ...(action ? [`${action.label}:\n${action.url}`] : []),
    ...(code === undefined ? [] : [code]),
    ...notes,
    `-- \n${reason}`,
  ]
  return `${parts.join('\n\n')}\n`
}

/** Readers that know no style sheet show their own colours, which suit both themes; only the button brings its own pair. */
const style = `:root{color-scheme:light dark;supported-color-schemes:light dark}
body{margin:0;padding:24px;font:16px/1.5 system-ui,sans-serif}
main{max-width:560px;margin:0 auto}
.button{display:inline-block;padding:12px 20px;border-radius:6px;background:#1f5fbf;color:#ffffff;font-weight:600;text-decoration:none}
.code{font:600 32px/1.2 ui-monospace,monospace;letter-spacing:4px}
.url{word-break:break-all}
.reason{font-size:14px;border-top:1px solid #8888;padding-top:12px}`

const button =
  'display:inline-block;padding:12px 20px;border-radius:6px;background:#1f5fbf;color:#ffffff;font-weight:600;text-decoration:none'

function markup({ subject, paragraphs, action, code, notes, reason }: Letter): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${subject}</title>
<style>${style}</style>
</head>
<body>
<main>
${paragraphs.map((text) => html`<p>${text}</p>\n`)}${
  action &&
  html`<p><a class="button" style="${button}" href="${action.url}">${action.label}</a></p>
<p>If the button does not work, open this address:<br><span class="url">${action.url}</span></p>
`
}${code !== undefined && html`<p class="code">${code}</p>\n`}${notes.map((text) => html`<p>${text}</p>\n`)}<p class="reason">${reason}</p>
</main>
</body>
</html>
`
}

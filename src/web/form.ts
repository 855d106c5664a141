import { attributes, type Html, html } from './html.ts'

/** What is wrong with a form: with one of its fields, or with the whole of it. */
export interface Fault {
  readonly field?: string | undefined
  /** A whole sentence. */
  readonly message: string
}

interface Field {
  readonly name: string
  readonly label: string
  readonly value?: string | undefined
  readonly type?: 'text' | 'email' | 'password'
  /** WHATWG HTML, section 4.10.18.7. */
  readonly autocomplete: string
  readonly hint?: string | undefined
  /** What must hold, one sentence each. */
  readonly rules?: readonly string[]
  readonly optional?: boolean
  readonly readonly?: boolean
  /** Spoken and written as it is: names and codes. */
  readonly verbatim?: boolean
  readonly numeric?: boolean
  /** What is usual here; anything else can be typed as well. */
  readonly suggestions?: readonly string[]
  /** Characters. */
  readonly maxLength: number
  /** Beside the label. */
  readonly beside?: Html
  /** Whether the page begins here. */
  readonly first?: boolean
}

/** A labelled field, with everything that is said about it tied to it. */
export function field(its: Field, faults: readonly Fault[]): Html {
  const { name, label, hint, rules, suggestions, type = 'text' } = its
  const mine = faults.filter((fault) => fault.field === name)
  const ids = {
    [`${name}-fault`]: mine.length > 0,
    [`${name}-hint`]: hint !== undefined,
    [`${name}-rules`]: rules !== undefined && rules.length > 0,
  }
  const described = Object.entries(ids).filter(([, there]) => there)
  const verbatim = its.verbatim || type !== 'text'
  const input = attributes({
    id: name,
    name,
    type,
    class: its.numeric && 'code',
    value: its.value,
    autocomplete: its.autocomplete,
    list: suggestions && `${name}-suggestions`,
    maxlength: its.maxLength,
    inputmode: its.numeric ? 'numeric' : undefined,
    autocapitalize: verbatim && 'none',
    spellcheck: verbatim && 'false',
    autocorrect: verbatim && 'off',
    required: !its.optional,
    readonly: its.readonly,
    // A page with faults begins at what sums them up.
    autofocus: its.first && faults.length === 0,
    'aria-invalid': mine.length > 0 && 'true',
    'aria-describedby': described.map(([id]) => id).join(' ') || undefined,
  })
  return html`<div class="field">
<div class="row"><label for="${name}">${label}${its.optional && ' (optional)'}</label>${its.beside}</div>
${mine.length > 0 && html`<p class="fault" id="${`${name}-fault`}"><span class="hidden">Error: </span>${mine.map(({ message }) => html`${message} `)}</p>`}
<input${input}>
${suggestions && html`<datalist id="${`${name}-suggestions`}">${suggestions.map((one) => html`<option value="${one}">`)}</datalist>`}
${hint !== undefined && html`<p class="hint" id="${`${name}-hint`}">${hint}</p>`}
${rules && rules.length > 0 && html`<ul class="rules" id="${`${name}-rules`}">${rules.map((rule) => html`<li>${rule}</li>`)}</ul>`}
</div>`
}

export function hidden(values: Readonly<Record<string, string | undefined>>): Html {
  const inputs = Object.entries(values).map(
    ([name, value]) =>
      value !== undefined && html`<input type="hidden" name="${name}" value="${value}">`,
  )
  return html`${inputs}`
}

/** Tells a password manager whose password it is that is typed beside it; nobody else meets it. */
export function unseenUsername(email: string): Html {
  return html`<input class="hidden" type="text" name="email" value="${email}" autocomplete="username" tabindex="-1" aria-hidden="true" readonly>`
}

/** What sums up the faults of a form: it has the focus, is read out, and leads to each of them. */
export function errorSummary(faults: readonly Fault[]): Html | false {
  if (faults.length === 0) return false
  const items = faults.map(({ field: name, message }) =>
    name === undefined
      ? html`<li>${message}</li>`
      : html`<li><a href="#${name}">${message}</a></li>`,
  )
  return html`<div class="errors" id="errors" role="alert" tabindex="-1" autofocus aria-labelledby="errors-title">
<h2 id="errors-title">${faults.length === 1 ? 'There is a problem' : 'There are problems'}</h2>
<ul>${items}</ul>
</div>`
}

/** What was just done. */
export function notice(message: string | undefined): Html | false {
  return message !== undefined && html`<p class="notice" role="status">${message}</p>`
}

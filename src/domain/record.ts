import { isDeepStrictEqual } from 'node:util'
import { claimOf, type Owned, type Owner } from './ownership.ts'

export type RecordAction =
  | { readonly action: 'none' }
  | { readonly action: 'insert' }
  | {
      readonly action: 'update'
      /** `drifted`: the spec had been applied, so somebody else changed the record. */
      readonly why: 'adopted' | 'restored' | 'drifted' | 'updated'
      /** The names of the values that differ. */
      readonly fields: readonly string[]
    }
  /** `adoptable`: nobody owns the record, and `adoptionPolicy: IfUnowned` would take it over. */
  | { readonly action: 'conflict'; readonly adoptable: boolean }

/**
 * What to do about the record that a resource declares.
 * @param found the owner's record, or else the one that has its name
 * @param desired the values that the spec asks for
 * @param situation.adopt whether the spec allows to take over a record that nobody owns
 * @param situation.applied whether the present spec was in force before
 */
export function decideRecord<Row extends Owned>(
  found: Row | undefined,
  owner: Owner,
  desired: Partial<Row>,
  situation: { readonly adopt: boolean; readonly applied: boolean },
): RecordAction {
  if (!found) return { action: 'insert' }
  const claim = claimOf(found, owner)
  if (claim === 'foreign') return { action: 'conflict', adoptable: false }
  const fields = differences(found, desired)
  if (claim === 'unowned') {
    return situation.adopt
      ? { action: 'update', why: 'adopted', fields }
      : { action: 'conflict', adoptable: true }
  }
  if (found.deletedAt)
    return {
      action: 'update',
      why: situation.applied ? 'drifted' : 'restored',
      fields: [...fields, 'deletedAt'],
    }
  if (fields.length === 0) return { action: 'none' }
  return { action: 'update', why: situation.applied ? 'drifted' : 'updated', fields }
}

/** Whether an action makes one record more than there was: such a one must fit in the quota. */
export function addsRecord(action: RecordAction): boolean {
  return action.action === 'insert' || (action.action === 'update' && action.why === 'restored')
}

/** The names of the desired values that a row does not have. */
export function differences<Row>(row: Row, desired: Partial<Row>): string[] {
  return (Object.keys(desired) as (keyof Row & string)[]).filter(
    (name) => !isDeepStrictEqual(plain(row[name]), plain(desired[name])),
  )
}

/** As JSON keeps it, so that an absent member and an undefined one are the same. */
function plain(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value))
}

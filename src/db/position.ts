/** Where and when something was read. */
export interface Position {
  /** The server's database, as `serverIdentity` tells it. */
  readonly server: string
  /** Which transactions were seen: a pg_snapshot's text. */
  readonly snapshot: string
}

/**
 * SQL for which database of which server answers. A database that was restored beside another one has another oid. A standby
 * that was promoted counts its transactions on from where it was: what the lost server committed after that is gone, and
 * its transaction ids are used again; the timeline tells.
 */
export const serverIdentity = `(select system_identifier || '/' ||
  (select oid from pg_database where datname = current_database()) || '/' ||
  case when pg_is_in_recovery() then 'standby' else left(pg_walfile_name(pg_current_wal_lsn()), 8) end
  from pg_control_system())`

/** Whether one server is what another one became by a promotion. */
export function isSuccessor(server: string, former: string): boolean {
  const [database, timeline] = parts(server)
  const [formerDatabase, formerTimeline] = parts(former)
  return database === formerDatabase && timeline > formerTimeline
}

/** The database and the timeline; a standby has none, which is before every other. */
function parts(server: string): [database: string, timeline: number] {
  const slash = server.lastIndexOf('/')
  const timeline = /^[0-9A-F]{8}$/.exec(server.slice(slash + 1))?.[0] ?? '0'
  return [server.slice(0, slash), Number.parseInt(timeline, 16)]
}

/**
 * Whether a snapshot sees every transaction that another one of the same server sees. Each later one does; one that does
 * not is of a copy that stayed behind, or was taken before.
 */
export function includes(snapshot: string, other: string): boolean {
  const mine = read(snapshot)
  const theirs = read(other)
  if (mine.xmax < theirs.xmax) return false
  return [...mine.running].every((xid) => xid >= theirs.xmax || theirs.running.has(xid))
}

/** The first transaction id that a snapshot does not know yet. */
export function xmax(snapshot: string): bigint {
  return read(snapshot).xmax
}

/** Written `xmin:xmax:list`, the list being of the transactions before xmax that were running. */
function read(snapshot: string): { xmax: bigint; running: ReadonlySet<bigint> } {
  const [, next = '0', list = ''] = snapshot.split(':')
  const running = list === '' ? [] : list.split(',').map(BigInt)
  return { xmax: BigInt(next), running: new Set(running) }
}

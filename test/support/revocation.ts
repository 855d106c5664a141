import type { Client } from 'pg'
import { quantile } from '../bench/report.ts'
import type { Shown } from './ask.ts'
import type { Witness } from './witness.ts'

/** Milliseconds from what `act` answers until each of the replicas refuses the credential. */
export async function measureRefusals(
  shown: Shown,
  act: () => Promise<number>,
  witnesses: readonly Witness[],
): Promise<readonly number[]> {
  const refusals = witnesses.map((witness) => witness.refusal(shown))
  const [at, ...times] = await Promise.all([act(), ...refusals])
  return times.map((time) => Math.max(0, time - at))
}

export function tellTimes(what: string, times: readonly number[]): void {
  const [p50, p99, most] = [0.5, 0.99, 1].map((share) => quantile(times, share).toFixed(1))
  console.info(`${what}: p50 ${p50} ms, p99 ${p99} ms, at most ${most} ms (${times.length})`)
}

/** Cuts the listeners of all replicas again and again, for some five seconds. */
export async function cutListeners(superuser: Client): Promise<void> {
  await superuser.query(
    `do $$ begin
       for turn in 1 .. 1500 loop
         perform pg_stat_clear_snapshot();
         perform pg_terminate_backend(pid) from pg_stat_activity
           where application_name = 'cardea-auth-changes' and datname = current_database();
         perform pg_sleep(0.003);
       end loop;
     end $$`,
  )
}

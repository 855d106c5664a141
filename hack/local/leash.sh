#!/usr/bin/env bash
# Reads "+ PID SIGNAL", "- PID" and "rm DIRECTORY" lines from the process that started it. When that process is gone,
# however it went, the input ends: whatever is still leashed is stopped, and the directories are removed. Without
# this, a killed test run would leave etcd and PostgreSQL running for ever.
trap '' INT TERM HUP
leashed=''
directories=()
while read -r verb subject; do
  case "$verb" in
    +) leashed="$leashed ${subject/ /:}" ;;
    -) for entry in $leashed; do [ "${entry%%:*}" = "$subject" ] && leashed="${leashed/ $entry/}"; done ;;
    rm) directories+=("$subject") ;;
  esac
done

for entry in $leashed; do kill -s "${entry##*:}" "${entry%%:*}" 2>/dev/null; kill -s CONT "${entry%%:*}" 2>/dev/null; done
for _ in {1..100}; do
  alive=''
  for entry in $leashed; do kill -0 "${entry%%:*}" 2>/dev/null && alive=yes; done
  [ -z "$alive" ] && break
  sleep 0.1
done
for entry in $leashed; do kill -s KILL "${entry%%:*}" 2>/dev/null; done
for directory in "${directories[@]}"; do rm -rf "$directory"; done

# table.awk - the table and the JSON of `make bench`, from `name value` lines.
#
# A limit is one call of limit(): its text, the figure, the most (or least) that it may be.

{ value[$1] = $2; order[++count] = $1 }

function number(x) { return x == int(x) ? sprintf("%d", x) : sprintf(x < 10 ? "%.2f" : "%.1f", x) }

function row(text, shown, bound, verdict) { printf "%-66s %10s %10s  %s\n", text, shown, bound, verdict }

function judge(text, figure, is_known, bound, is_least,    is_met) {
  if (!is_known) return
  is_met = is_least ? figure >= bound : figure <= bound
  row(text, number(figure), (is_least ? ">= " : "<= ") number(bound), is_met ? "met" : "MISSED")
  limits = limits sprintf("%s\n    {\"text\": \"%s\", \"value\": %s, \"%s\": %s, \"met\": %s}", \
    limits == "" ? "" : ",", text, figure + 0, is_least ? "least" : "most", bound, is_met ? "true" : "false")
}

# Naming an element makes it: first see whether it is there.
function limit(text, name, bound) { if (name in value) judge(text, value[name], 1, bound, 0) }
function least(text, name, bound) { if (name in value) judge(text, value[name], 1, bound, 1) }
function quotient(text, a, b, bound) {
  if ((a in value) && (b in value) && value[b] > 0) judge(text, value[a] / value[b], 1, bound, 0)
}

# A part of section flow: microseconds among a thousand tasks, and the largest ratio to that.
function flow(text, what,    i, worst, base, name) {
  worst = 0
  for (i = 1; i <= count; i++) {
    name = order[i]
    if (name !~ "^flow_" what "_1[km].*_us$") continue
    if (!base) base = value[name]
    sub(/_us$/, "_ratio", name)
    if (value[name] > worst) worst = value[name]
  }
  if (base) judge(text " (" number(base) " us), up to 1,000,000", worst, 1, 1.5, 0)
}

# The largest of the growth figures of one kind.
function growth(text, what,    i, worst, name) {
  worst = 0
  for (i = 1; i <= count; i++) {
    name = order[i]
    if (name ~ "^growth_" what "_.*_ratio$" && value[name] > worst) worst = value[name]
  }
  if (worst > 0) judge(text, worst, 1, 1.5, 0)
}

function verb(name,    i, kinds, n, line) {
  if (!((name "_us_tm") in value)) return
  line = sprintf("%-20s", name)
  n = split("tm full lean kept bare", kinds, " ")
  for (i = 1; i <= n; i++) line = line sprintf(" %8.1f", value[name "_us_" kinds[i]])
  for (i = 2; i <= n; i++) line = line sprintf(" %7.2f", value[name "_ratio_" kinds[i]])
  print line
}

END {
  if ("enqueue_us_tm" in value) {
    print "Microseconds an operation, and sqlite-tm's ratio to each way of doing it by hand:"
    printf "%-20s %8s %8s %8s %8s %8s %7s %7s %7s %7s\n", "", "tm", "full", "lean", "kept", "bare", \
      "/full", "/lean", "/kept", "/bare"
    n = split("enqueue claim complete cycle empty_claim batch_calls batch_command heartbeat fail snooze " \
      "claim_32 complete_32 complete_and_claim", verbs, " ")
    for (i = 1; i <= n; i++) verb(verbs[i])
    print "full: the facts that sqlite-tm keeps, in three partial indexes, with a row of history for each"
    print "transition and for the birth; lean: without the birth's; kept: lean, with the foreign keys and"
    print "checks of sqlite-tm; bare: one table, one index, no history. The last five rows: a task's share.\n"
  }
  if ("instructions_enqueue_tm" in value) {
    print "Instructions an operation (callgrind), sqlite-tm and lean:"
    n = split("enqueue claim complete empty_claim batch_calls batch_command", verbs, " ")
    for (i = 1; i <= n; i++) printf "  %-16s %8d %8d\n", verbs[i], value["instructions_" verbs[i] "_tm"], \
      value["instructions_" verbs[i] "_lean"]
    print ""
  }
  if ("memory_bytes_tm" in value) printf "Memory of a connection beyond its page cache: %d KB, by hand %d KB.\n", \
    value["memory_bytes_tm"] / 1024, value["memory_bytes_lean"] / 1024
  if ("rivals_4_each_second" in value) {
    print "Several processes: claims and completes a second, and the least and the most that one got of its share:"
    for (i = 1; i <= 4; i *= 2) printf "  %d: %6d each second, %.2f to %.2f\n", i, value["rivals_" i "_each_second"], \
      value["rivals_" i "_least_share"], value["rivals_" i "_most_share"]
    print ""
  }
  row("limit", "measured", "limit", "")
  n = split("enqueue claim complete cycle", verbs, " ")
  for (i = 1; i <= n; i++) limit(verbs[i] ", against the same facts by hand", verbs[i] "_ratio_full", 1.2)
  limit("batch of 1,000 by function calls, against the same by hand", "batch_calls_ratio_full", 1.5)
  limit("batch of 1,000 by one tm_command ... SELECT", "batch_command_ratio_full", 1.3)
  flow("enqueue of a plain task, among unique ones", "enqueue_plain")
  flow("enqueue with a unique key", "enqueue_unique")
  flow("enqueue that finds its key held", "enqueue_duplicate")
  flow("enqueue after another task", "enqueue_after")
  flow("complete without a dependant", "complete_0_dependants")
  flow("complete with one", "complete_1_dependant")
  flow("complete with a thousand, each", "complete_1000_dependants_each")
  flow("enqueue into a group", "enqueue_group")
  flow("complete in a group", "complete_group")
  flow("claim, one at a time in 1 to 100,000 partitions", "claim_partition")
  flow("fair claim, 1 to 100,000 partitions", "claim_fair")
  flow("a tick that fires, 1 to 1,000 schedules", "fire")
  flow("pruning 10,000, each", "prune_10000_each")
  limit("WAL frames, history on, in bursts: enqueue", "frames_enqueue_tm", 2.3)
  limit("  claim", "frames_claim_tm", 4.2)
  limit("  complete", "frames_complete_tm", 3.1)
  limit("  cycle", "frames_cycle_tm", 9.4)
  limit("  one at a time through a nearly empty queue", "frames_one_at_a_time_tm", 8.5)
  limit("history off: cycle in bursts", "frames_cycle_tm_without_history", 7.4)
  limit("  one at a time", "frames_one_at_a_time_tm_without_history", 6.5)
  quotient("frames of a claim, 100 KB of payload against 100 bytes", "frames_claim_102400_bytes_tm", "frames_claim_100_bytes_tm", 1)
  quotient("frames of a complete, the same", "frames_complete_102400_bytes_tm", "frames_complete_100_bytes_tm", 1)
  growth("claim in the worst growth case, against 1,000 available", "claim")
  growth("empty claim in the worst growth case", "empty")
  limit("empty claim, against one empty probe by hand", "empty_claim_ratio_full", 1.5)
  quotient("promoting 256: a task, against an enqueue", "promote_us_tm", "enqueue_us_tm", 1.5)
  quotient("rescuing 256: a task, against an enqueue", "rescue_us_tm", "enqueue_us_tm", 1.5)
  limit("statements prepared in steady state", "prepared_in_steady_state", 0)
  limit("errors with 4 processes", "rivals_4_errors", 0)
  limit("duplicates and losses with 4 processes", "rivals_4_duplicates_or_losses", 0)
  least("throughput of 4 processes against 1", "rivals_4_throughput_ratio", 0.8)
  limit("wake-up p50, microseconds", "wakeup_p50_us", 300)
  limit("wake-up p99, microseconds", "wakeup_p99_us", 2000)
  limit("idle waiter, per cent of a core", "idle_cpu_percent", 0.5)
  quotient("bytes on disk of a waiting task, against the same by hand", "disk_waiting_bytes_tm", "disk_waiting_bytes_full", 1.1)
  quotient("bytes on disk of a finished task", "disk_finished_bytes_tm", "disk_finished_bytes_full", 1.1)
  print ""
  printf "{\n  \"limits\": [%s\n  ],\n  \"figures\": {", limits > json
  for (i = 1; i <= count; i++) printf "%s\n    \"%s\": %s", (i == 1 ? "" : ","), order[i], value[order[i]] > json
  print "\n  }\n}" > json
}

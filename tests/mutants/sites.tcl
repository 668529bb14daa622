# sites.tcl - where a mutant can be made, and of what kind.
# Owns:    the operators for C and for SQL, and the order in which mutants are drawn.
# Promise: a site is {path kind begin end text}: in that file the characters begin..end are replaced
#          by the text. What is drawn for a seed depends on the lines alone, so that a change in one
#          place of the sources leaves the mutants of all others what they were.

namespace eval ::sites {
  # Each is drawn as often as the others, while it has sites.
  variable kinds {
    compare boundary logic negate drop constant return
    sql-compare sql-boundary sql-logic sql-term sql-constraint sql-trigger sql-statement sql-assign sql-constant
    compare boundary logic negate drop constant return
    sql-unique sql-move sql-minmax
  }
  variable found {}
}

proc ::sites::add {path kind begin end text} {
  variable found
  dict set found [list $path $begin $end $text] $kind
}

# The same text with other characters in the place of what is no code: comments, strings, and what
# else opens with one of the words; {open pattern …}, the pattern says what ends there.
proc ::sites::masked {text opens} {
  set words [dict keys $opens]
  set any [join [lmap word $words { regsub -all {[*/'"#-]} $word {\\&} }] |]
  set at 0
  set out {}
  while {[regexp -indices -start $at -- $any $text range]} {
    lassign $range first last
    append out [string range $text $at $first-1]
    set end $last
    if {[regexp -indices -start [expr {$last + 1}] -- [dict get $opens [string range $text $first $last]] $text range]} { set end [lindex $range 1] }
    append out [regsub -all {[^\n]} [string range $text $first $end] "\x01"]
    set at [expr {$end + 1}]
  }
  return $out[string range $text $at end]
}

# The index of the bracket that closes the one at `at`.
proc ::sites::closing {text at} {
  set depth 0
  set length [string length $text]
  for {set i $at} {$i < $length} {incr i} {
    switch -- [string index $text $i] {
      ( { incr depth }
      ) { if {[incr depth -1] == 0} { return $i } }
    }
  }
  return -1
}

proc ::sites::each_match {pattern text script} {
  upvar 1 at at to to
  foreach range [regexp -all -inline -indices -- $pattern $text] {
    lassign $range at to
    uplevel 1 $script
  }
}

# ---- C -----------------------------------------------------------------------------------------

proc ::sites::of_c {path text} {
  set code [masked $text {/* {\*/} // {[^\n]*} ' {\A(?:[^'\\]|\\.)*'} \" {\A(?:[^\"\\]|\\.)*\"} #include {[^\n]*} #if {[^\n]*}}]
  foreach {from other} {< >= <= > > <= >= < == != != ==} {
    each_match "(?: )${from}(?= )" $code { add $path compare [expr {$at + 1}] $to $other }
  }
  foreach {from other} {< <= <= < > >= >= >} {
    each_match "(?: )${from}(?= )" $code { add $path boundary [expr {$at + 1}] $to $other }
  }
  foreach {from other} {&& || || &&} {
    each_match " [string map {| \\|} $from](?=\\s)" $code { add $path logic [expr {$at + 1}] $to $other }
  }
  each_match {\m(?:if|while) \(} $code {
    set end [closing $code $to]
    add $path negate $to $end "(![string range $text $to $end])"
  }
  each_match {\m\d+\M(?![.])} $code {
    set value [string range $text $at $to]
    if {[string index $code $at-1] ne "." && ![is_size $code $at] && [string is integer -strict $value]} {
      add $path constant $at $to [expr {[scan $value %d] + 1}]
    }
  }
  each_match {\m(?:true|false)\M} $code {
    add $path constant $at $to [expr {[string index $code $at] eq "t" ? "false" : "true"}]
  }
  statements_of_c $path $text $code
}

# Whether the number at `at` is the size of an array that is declared there: more of it is no mistake.
proc ::sites::is_size {code at} {
  set line [string range $code [string last \n $code $at]+1 $at-1]
  return [regexp {^\s*(?:static |const |unsigned |struct )*\w+ (?:\*|const )*\w+(?:\[\w+\])*\[$} $line]
}

# Statements of a line each, whole ones: the line before ends one, or opens a block.
proc ::sites::statements_of_c {path text code} {
  each_match {(?n)^ +\S.*;$} $code {
    set line [string range $code $at $to]
    set before [string index [string trimright [string range $code 0 $at-1] " \n\x01"] end]
    if {$before ni {; \{ \}}} continue
    set first [expr {$at + [string length $line] - [string length [string trimleft $line]]}]
    set line [string trim $line]
    if {[regexp {^return (.+);$} $line]} {
      foreach value [other_values [string range $text $first+7 $to-1]] { add $path return [expr {$first + 7}] [expr {$to - 1}] $value }
    } elseif {[regexp {^(?:typedef|extern|static|const|struct|enum|goto|else|case|default|for|while|do|return)\M} $line]} {
      continue
    } elseif {![regexp {^\w+\s+[*\w]} $line] || [regexp {^if \(} $line]} {
      add $path drop $first $to ";"
    }
  }
}

# What a function could return instead.
proc ::sites::other_values {value} {
  switch -regexp -- $value {
    {^(true|false|\d+)$} { return {} }
    {^NULL$} { return {} }
    {^SQLITE_OK$} { return SQLITE_ERROR }
    {^SQLITE_} { return SQLITE_OK }
    { (==|!=|<|>|<=|>=|&&|\|\|) |^!} { return [list "!($value)"] }
    default { return 0 }
  }
}

# ---- SQL ---------------------------------------------------------------------------------------

proc ::sites::of_sql {path text} {
  set code [masked $text {-- {[^\n]*} ' {\A(?:[^']|'')*'}}]
  foreach {begin end name} [wanted_parts $path $code] {
    set part [string range $code $begin $end]
    # What a way down makes anew is an older schema: only that it does so is looked at.
    set is_down [string match *.down.sql $path]
    if {!$is_down} { in_part $path $text $part $begin }
    if {!$is_down && [string match CREATE* $part]} { in_create $path $part $begin $end } elseif {[string match *migrations* $path]} {
      add $path sql-statement $begin $end "SELECT 1;"
      # Without the statement the column is not there, and all that asks for it fails; the constraint alone is another mistake.
      if {!$is_down && [string match "ALTER TABLE*" $part]} { constraints $path $part $begin }
    }
  }
}

# The top-level statements, {begin end name …}: of a migration those that the newest schema still has,
# or that move rows.
proc ::sites::wanted_parts {path code} {
  set out {}
  set begin 0
  each_match {(?n);$} $code {
    if {[string index $code $begin] eq "\n"} { regexp -indices -start $begin {\S} $code first; set begin [lindex $first 0] }
    set part [string range $code $begin $to]
    regsub {^[\s\x01]+} $part {} lead
    set begin [expr {$begin + [string length $part] - [string length $lead]}]
    set part $lead
    if {[string match "CREATE TRIGGER*" $part] && ![regexp {\nEND;$} $part]} continue
    set name {}
    regexp {^(?:CREATE|ALTER) (?:UNIQUE )?\w+ main\.(\w+)} $part -> name
    if {$name eq {} || [is_newest $path $name [string match ALTER* $part]]} { lappend out $begin $to $name }
    set begin [expr {$to + 1}]
  }
  return $out
}

# Whether no later migration makes or drops what is called so.
proc ::sites::is_newest {path name is_alter} {
  if {![string match *.up.sql $path]} { return 1 }
  foreach other [lsort [glob [file dirname $path]/*.up.sql]] {
    if {[string compare [file tail $other] [file tail $path]] <= 0} continue
    if {[regexp "(CREATE|DROP) \[A-Z \]+ main\\.${name}\\M" [slurp $other]]} { return 0 }
  }
  return 1
}

proc ::sites::slurp {path} {
  set channel [open $path r]
  fconfigure $channel -encoding utf-8 -translation lf
  set text [read $channel]
  close $channel
  return $text
}

# What may stand anywhere in a statement. `from` is where the part begins in the file.
proc ::sites::in_part {path text part from} {
  foreach {word other} {< >= <= > > <= >= < = <> <> =} {
    each_match " ${word}(?= )" $part {
      if {$word eq "=" && [is_assignment $part $at]} continue
      add $path sql-compare [expr {$from + $at + 1}] [expr {$from + $to}] $other
    }
  }
  each_match { IS(?: NOT)?(?= )} $part {
    set other [expr {$to - $at > 3 ? " IS" : " IS NOT"}]
    if {![string match " NOT" [string range $part $to+1 $to+4]]} { add $path sql-compare [expr {$from + $at}] [expr {$from + $to}] $other }
  }
  foreach {word other} {< <= <= < > >= >= >} {
    each_match " ${word}(?= )" $part { add $path sql-boundary [expr {$from + $at + 1}] [expr {$from + $to}] $other }
  }
  foreach {word other} {min max max min} {
    each_match "\\m${word}(?=\\()" $part { add $path sql-minmax [expr {$from + $at}] [expr {$from + $to}] $other }
  }
  each_match {\m\d+\M} $part {
    set value [string range $part $at $to]
    if {[string is integer -strict $value] && [string index $part $at-1] ni {. :} && ![regexp {\mSELECT $} [string range $part 0 $at-1]]} {
      add $path sql-constant [expr {$from + $at}] [expr {$from + $to}] [expr {[scan $value %d] + 1}]
    }
  }
  terms $path $part $from
  assignments $path $part $from
}

# Whether the equals sign at `at` belongs to SET: it is the first one after SET or a comma.
proc ::sites::is_assignment {part at} {
  set line [string trimleft [string range $part [string last \n $part $at]+1 $at-1]]
  if {[regexp {\mSET\s+(?:\(.*\)|\w+)$} $line]} { return 1 }
  return [expr {[regexp {^(\w+|\(.*\))$} $line] && [regexp {(SET|,)\s*$} [string range $part 0 [string last \n $part $at]]]}]
}

# The terms of AND and OR: one dropped, or the word exchanged. The AND of BETWEEN is none.
proc ::sites::terms {path part from} {
  each_match {\m(?:AND|OR)\M(?! (?:IGNORE|REPLACE|ABORT|FAIL|ROLLBACK))} $part {
    set word [string range $part $at $to]
    if {[regexp {\mBETWEEN\s+\S+(?: [-+*/] \S+)?\s+$} [string range $part [expr {max(0, $at - 60)}] $at-1]]} continue
    add $path sql-logic [expr {$from + $at}] [expr {$from + $to}] [expr {$word eq "AND" ? "OR" : "AND"}]
    set end [term_end $part [expr {$to + 1}]]
    add $path sql-term [expr {$from + $at}] [expr {$from + $end}] [string repeat \n [regexp -all {\n} [string range $part $at $end]]]
  }
  each_match {\m(?:WHERE|WHEN|HAVING)\M} $part {
    set end [term_end $part [expr {$to + 1}]]
    set term [string range $part $to+1 $end]
    if {[regexp {^(\s+)\S} $term -> lead]} { add $path sql-term [expr {$from + $to + 1 + [string length $lead]}] [expr {$from + $end}] 1 }
  }
}

# The index of the last character of the term that begins at `at`.
proc ::sites::term_end {part at} {
  set stop {^(?:AND|OR|ORDER|GROUP|LIMIT|HAVING|UNION|THEN|ELSE|END|BEGIN|JOIN|LEFT|WHERE|WHEN|FROM|RETURNING|ON|DO|EXCEPT|WINDOW)\M}
  set length [string length $part]
  set is_between 0
  for {set i $at} {$i < $length} {incr i} {
    set c [string index $part $i]
    if {$c eq "("} { set i [closing $part $i]; continue }
    if {$c in {) ; ,}} break
    if {![string is upper $c] || [string is wordchar [string index $part $i-1]]} continue
    if {[string equal -length 8 [string range $part $i $i+7] "BETWEEN "]} { set is_between 1 }
    if {[string equal -length 5 [string range $part $i $i+4] "CASE "]} {
      if {[regexp -indices -start $i {\mEND\M} $part range]} { set i [lindex $range 1]; continue }
    }
    if {![regexp $stop [string range $part $i $i+10]]} continue
    if {$is_between && [string match AND* [string range $part $i $i+2]]} { set is_between 0; continue }
    break
  }
  return [expr {$at - 1 + [string length [string trimright [string range $part $at $i-1]]]}]
}

# One `column = expression,` of a SET that has a line of its own.
proc ::sites::assignments {path part from} {
  each_match {(?n)^ +\w+ = .*,$} $part {
    if {[regexp {(SET|,)\s*$} [string range $part 0 $at-1]]} { add $path sql-assign [expr {$from + $at}] [expr {$from + $to}] {} }
  }
}

proc ::sites::in_create {path part begin end} {
  switch -glob -- $part {
    "CREATE UNIQUE INDEX*" { add $path sql-unique $begin [expr {$begin + 18}] "CREATE INDEX" }
    "CREATE TABLE*" { constraints $path $part $begin }
    "CREATE TRIGGER*" {
      add $path sql-trigger $begin $end {}
      each_match {(?n)^  (?:INSERT|UPDATE|DELETE|SELECT)\M} $part {
        set stop [string first ";\n" $part $to]
        add $path sql-statement [expr {$begin + $at + 2}] [expr {$begin + $stop}] "SELECT 1;"
      }
    }
  }
}

# A named constraint, with the comma before it where it has one; NOT NULL of a column.
proc ::sites::constraints {path part begin} {
  each_match {\mCONSTRAINT \w+\s+(?:CHECK|UNIQUE|REFERENCES|FOREIGN KEY|NOT NULL)} $part {
    set first $at
    set stop $to
    foreach word {CHECK UNIQUE {FOREIGN KEY}} {
      if {[string match *$word [string range $part $at $to]]} { set stop [closing $part [string first ( $part $to]] }
    }
    if {[regexp -indices -start $stop {\A.?\s*REFERENCES \w+ \(\w+\)(?:\s+ON \w+ (?:CASCADE|RESTRICT|SET NULL|NO ACTION))*} $part range]} { set stop [lindex $range 1] }
    set lead [string trimright [string range $part 0 $at-1]]
    if {[string index $lead end] eq ","} { set first [expr {[string length $lead] - 1}] }
    add $path sql-constraint [expr {$begin + $first}] [expr {$begin + $stop}] {}
  }
  each_match {\m(?:INTEGER|TEXT|ANY|REAL|BLOB) NOT NULL} $part {
    add $path sql-constraint [expr {$begin + $to - 8}] [expr {$begin + $to}] {}
  }
}

proc ::sites::of_states {path text} {
  each_match {(?n)^move .*\n} $text { add $path sql-move $at $to {} }
}

# ---- the draw ----------------------------------------------------------------------------------

# All sites below the folder.
proc ::sites::find {} {
  variable found {}
  foreach path [lsort [concat [glob ext/*.c ext/*/*.c ext/*/*.h]]] { of_c $path [slurp $path] }
  foreach path [lsort [glob sql/queries/*.sql sql/migrations/*.sql sql/invariants.sql]] { of_sql $path [slurp $path] }
  of_states sql/states.txt [slurp sql/states.txt]
  set out {}
  dict for {site kind} $found { lappend out [linsert $site 1 $kind] }
  return $out
}

# What a mutant is called: the file, the line as it was and as it will be, white space evened out.
proc ::sites::name {site} {
  lassign $site path kind begin end text
  lassign [lines_of $site] old new
  regsub -all {\s+} [string trim $old] { } old
  regsub -all {\s+} [string trim $new] { } new
  if {[string length $old] > 160} { set old "[string range $old 0 159]…" }
  if {[string length $new] > 160} { set new "[string range $new 0 159]…" }
  return "$path: $old => $new"
}

# The lines that it changes, before and after, and the number of the first of them.
proc ::sites::lines_of {site} {
  lassign $site path kind begin end text
  set whole [cached $path]
  set first [expr {[string last \n $whole $begin-1] + 1}]
  set last [string first \n $whole $end]
  if {[string index $whole $end] eq "\n"} { set last $end }
  set number [expr {[regexp -all {\n} [string range $whole 0 $first-1]] + 1}]
  if {$first == 0} { set number 1 }
  set after [string range $whole $first $begin-1]$text[string range $whole $end+1 $last]
  return [list [string range $whole $first $last-1] $after $number]
}

proc ::sites::cached {path} {
  variable texts
  if {![info exists texts($path)]} { set texts($path) [slurp $path] }
  return $texts($path)
}

# A number that follows from the seed and the text, and from nothing else.
proc ::sites::rank {seed text} {
  set n [zlib crc32 [encoding convertto utf-8 "$seed $text"]]
  for {set i 0} {$i < 3} {incr i} { set n [expr {($n * 48271 + $seed) % 2147483647}] }
  return $n
}

# All sites in the order of the draw: one of each kind in turn.
proc ::sites::draw {seed {part {}}} {
  variable kinds
  set alike {}
  foreach site [find] {
    set name [name $site]
    if {$part ne {} && [string first $part "[lindex $site 1] $name"] < 0} continue
    # Lines that are alike lie in places of their own.
    dict incr alike $name
    lappend of([lindex $site 1]) [list [rank $seed "$name [dict get $alike $name]"] {*}$site]
  }
  foreach kind [array names of] { set of($kind) [lsort -integer -index 0 $of($kind)] }
  set out {}
  while {[array size of]} {
    foreach kind $kinds {
      if {![info exists of($kind)]} continue
      lappend out [lrange [lindex $of($kind) 0] 1 end]
      set of($kind) [lrange $of($kind) 1 end]
      if {$of($kind) eq {}} { unset of($kind) }
    }
  }
  return $out
}

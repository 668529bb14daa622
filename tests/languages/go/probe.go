// What mattn's driver does by itself; ../README.md says what the lines mean.
package main

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// A pool of one connection.
func connect(more string) *sql.DB {
	db, err := sql.Open("sqlite3_tm", "file:probe.db?_busy_timeout=0"+more)
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

func one(db *sql.DB, text string, values ...interface{}) (value string, err error) {
	err = db.QueryRow(text, values...).Scan(&value)
	return
}

func fresh(db *sql.DB, name, text string) {
	other := connect("")
	other.Exec(text)
	if name == "select" {
		count, _ := one(other, "SELECT count(*) FROM tm_task")
		fmt.Println("runs", count)
	}
	other.Close()
	count, _ := one(db, "SELECT count(*) FROM tm_task WHERE queue = ?", name)
	fmt.Println(name, map[bool]string{true: "gone", false: "kept"}[count == "0"])
}

func begin(db *sql.DB, name string) {
	tx, _ := db.Begin()
	tx.Exec("SELECT count(*) FROM tm_task")
	if _, err := connect("").Exec("BEGIN IMMEDIATE; ROLLBACK"); err != nil {
		fmt.Println(name, "immediate")
	} else {
		fmt.Println(name, "deferred")
	}
	tx.Rollback()
}

func main() {
	sql.Register("sqlite3_tm", &sqlite3.SQLiteDriver{Extensions: []string{"./tm"}})
	db := connect("")
	if _, err := one(db, "SELECT tm_init()"); err != nil {
		panic(err)
	}
	number, _ := one(db, "SELECT typeof(?)", 3)
	fmt.Println("number", number)
	fresh(db, "select", "SELECT tm_enqueue('select', 1)")
	fresh(db, "command", "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')")

	begin(db, "begin")
	begin(connect("&_txlock=immediate"), "cure")

	db.SetMaxOpenConns(2) // open rows keep their connection: the verb goes to another one
	rows, _ := db.Query("SELECT id FROM tm_task")
	rows.Next()
	if _, err := one(db, "SELECT tm_enqueue('open', 1)"); err != nil {
		fmt.Println("open", err.Error()[strings.LastIndex(err.Error(), "["):])
	} else {
		fmt.Println("open works")
	}
}

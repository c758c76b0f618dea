# Everything a contributor runs. `make` alone lists it.

.DEFAULT_GOAL := help
.PHONY: help setup mysql build fmt lint test test-sqlserver openapi demo corpus bench bench-quick fuzz clean

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## Install what the build and the tests need (Debian 12; root or sudo)
	@scripts/setup

mysql: setup ## Fetch MySQL 9 into the cache folder
	@scripts/mysql

build: setup ## Build everything
	@scripts/cargo build --workspace --all-targets --locked

fmt: setup ## Format the code
	@scripts/cargo fmt --all

lint: setup ## Check format and lints
	@scripts/cargo fmt --all --check
	@scripts/cargo clippy --workspace --all-targets --locked -- -D warnings
	@scripts/cargo clippy -p app --test corpus --test load --test rate --locked -- -D warnings

test: setup mysql lint build ## Run every test against real servers
	@scripts/cargo nextest run --workspace --locked

test-sqlserver: setup ## Test against the SQL Server in DBFERRY_TEST_SQLSERVER=mssql://…
	@test -n "$$DBFERRY_TEST_SQLSERVER" || { echo "make test-sqlserver: nothing was tested:" \
	"DBFERRY_TEST_SQLSERVER names no server (mssql://user:password@host:port)" >&2; exit 1; }
	@scripts/cargo nextest run -p engine -p app --locked --run-ignored only --test-threads 1 --success-output final -E 'test(/^sqlserver::/)'

openapi: setup ## Write docs/openapi.json anew
	@DBFERRY_WRITE_OPENAPI=1 scripts/cargo nextest run -p app --locked -E 'test(the_committed_description)'

demo: setup ## Show an import, side by side with the stock client
	@scripts/demo

corpus: setup mysql ## Compare with the stock clients on real dumps
	@scripts/corpus

bench: setup mysql ## Measure against the stock clients
	@scripts/bench --write

bench-quick: setup mysql ## The same on small inputs, in less than five minutes
	@scripts/bench --quick

fuzz: setup ## Fuzz the statement reader
	@scripts/fuzz

clean: ## Remove what was built (not the cache folder)
	@scripts/cargo clean

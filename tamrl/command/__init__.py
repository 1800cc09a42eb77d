"""The command `tamrl`: one module for each kind of subcommand, which imports what it needs when it runs."""

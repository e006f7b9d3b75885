"""python -m rwrouter."""

from rwrouter.cli.main import main

main(prog_name="rwrouter")

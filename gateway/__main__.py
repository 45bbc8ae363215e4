"""The program `mallgate`."""

from gateway.cli import main

if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Prints a command's manual page (man(7)), made from the help that its argument parser dumps.

    wasmnet-node --experimental-dump-help | manual.py YYYY-MM-DD VERSION
"""
import json
import sys


def escaped(text):
    """Text as roff: backslashes, hyphens, and dots and apostrophes at the start of a line are escaped."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.splitlines() if line)


def term(argument):
    names = [("-" if name["kind"] == "short" else "--") + name["name"] for name in argument.get("names", [])]
    value = argument.get("valueName", "value")
    if argument["kind"] == "positional":
        return f"\\fI{escaped(value)}\\fR"
    suffix = f" \\fI{escaped(value)}\\fR" if argument["kind"] == "option" else ""
    return ", ".join(f"\\fB{escaped(name)}\\fR" for name in names) + suffix


def synopsis(path, command):
    parts = [f"\\fB{escaped(path)}\\fR"]
    if any(argument["kind"] != "positional" for argument in command.get("arguments", [])):
        parts.append("[\\fIoptions\\fR]")
    for argument in command.get("arguments", []):
        if argument["kind"] == "positional":
            text = term(argument) + (" ..." if argument.get("isRepeating") else "")
            parts.append(f"[{text}]" if argument.get("isOptional") else text)
    return " ".join(parts)


def arguments(command):
    for argument in command.get("arguments", []):
        if not argument.get("shouldDisplay", True):
            continue
        yield ".TP"
        yield term(argument)
        text = " ".join(argument[key] for key in ("abstract", "discussion") if argument.get(key))
        if argument.get("defaultValue") and "default" not in text.lower():
            text += f" Default {argument['defaultValue']}."
        yield escaped(text) or "\\&"


def section(path, command):
    """The section of a command, or the sections of its subcommands."""
    subcommands = [item for item in command.get("subcommands", []) if item["commandName"] != "help"]
    if not subcommands:
        yield f".SS {escaped(path)}"
        yield ".PP"
        yield synopsis(path, command)
        yield ".PP"
        yield escaped(command.get("abstract", ""))
        if command.get("discussion"):
            yield ".PP"
            yield escaped(command["discussion"])
        yield from arguments(command)
    for item in subcommands:
        yield from section(f"{path} {item['commandName']}", item)


def page(dump, date, version):
    command = dump["command"]
    name = command["commandName"]
    yield f".TH {name.upper()} 1 {date} \"{name} {version}\""
    yield ".SH NAME"
    yield f"{escaped(name)} \\- {escaped(command['abstract'].rstrip('.'))}"
    yield ".SH SYNOPSIS"
    yield f"\\fB{escaped(name)}\\fR \\fIcommand\\fR [\\fIoptions\\fR]"
    yield ".SH DESCRIPTION"
    for paragraph in command.get("discussion", "").split("\n\n"):
        yield ".PP"
        yield escaped(paragraph)
    yield ".SH OPTIONS"
    yield from arguments(command)
    yield ".SH COMMANDS"
    for item in command["subcommands"]:
        if item["commandName"] != "help":
            yield from section(f"{name} {item['commandName']}", item)


def main():
    print("\n".join(page(json.load(sys.stdin), *sys.argv[1:])))


if __name__ == "__main__":
    main()

"""wordtree build and wordtree show: hierarchies of classes."""

import argparse
from pathlib import Path

from yolocourse.treeview import write_map
from yolocourse.weights.names import read_lines, write_names
from yolocourse.wordnet import PHYSICAL_ENTITY, read_wordnet
from yolocourse.wordtree import WordTree, read_tree, write_tree
from yolocourse.wordtree_build import FOLDS, build_tree, merge_classes, read_ids


def add_wordtree(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|show", help="what to do")
    build = actions.add_parser("build", help="WordNet 3.0 and lists of ids to .tree, .names and .map")
    option = build.add_argument
    option("ids", nargs="?", metavar="FILE", help="list of WordNet ids such as n02084071, one a line; names may follow")
    option("--merge", nargs="+", metavar="NAME=FILE", help="instead: the lists of several data sets, each in the order "
           "of its classes; writes OUT.NAME.map for each")  # fmt: skip
    option("--out", metavar="FILE", help="the .tree to write; .names beside it (default: beside the list)")
    option("--wordnet", metavar="DIR", help="folder with data.noun, or nltk's wordnet.zip (default: where packages put "
           "it)")  # fmt: skip
    option("--fold", choices=tuple(FOLDS), default="nodes", help="; ".join(f"{k}: {text}" for k, text in FOLDS.items())
           + " (default: %(default)s)")  # fmt: skip
    option("--root", default=PHYSICAL_ENTITY, metavar="ID", help="synset right below which the tree begins (default: "
           "%(default)s, physical entity)")  # fmt: skip
    show = actions.add_parser("show", help="how large a tree is, and what is above and below a node")
    show.add_argument("tree", metavar="FILE", help="the .tree")
    show.add_argument("words", nargs="*", metavar="WORD", help="ids or names of nodes to look at")
    show.add_argument("--names", metavar="FILE", help="names, one a line (default: FILE.names, if it is there)")


def wordtree_command(args: argparse.Namespace) -> None:
    show_command(args) if args.action == "show" else build_command(args)


def build_command(args: argparse.Namespace) -> None:
    if (args.ids is None) == (args.merge is None):
        raise ValueError("give one list of ids, or --merge NAME=FILE NAME=FILE ...")
    if args.merge and not args.out:
        raise ValueError("--merge needs --out, the .tree to write")
    out = Path(args.out or Path(args.ids).with_suffix(".tree"))
    if out.suffix != ".tree":
        raise ValueError(f"--out {out}: expected a name that ends in .tree")
    lists = _lists(args.merge) if args.merge else {"": read_ids(args.ids)}
    wordnet = read_wordnet(args.wordnet)
    if args.merge:
        tree, nodes = merge_classes(wordnet, lists, args.fold, args.root)
    else:
        tree, nodes = build_tree(wordnet, lists[""], args.fold, args.root), {}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_tree(out, tree)
    write_names(out.with_suffix(".names"), tree)
    for name, places in nodes.items():
        write_map(out.with_suffix(f".{name}.map"), places)
    written = [out, out.with_suffix(".names"), *(out.with_suffix(f".{name}.map") for name in nodes)]
    classes = len({id for ids in lists.values() for id in ids})
    print(f"{_size(tree)}; {classes} of the nodes are classes\nwrote {', '.join(map(str, written))}")


def show_command(args: argparse.Namespace) -> None:
    beside = Path(args.tree).with_suffix(".names")
    names = args.names or (beside if beside.is_file() else None)
    tree = read_tree(args.tree)
    tree = tree if names is None else read_tree(args.tree, read_lines(names, len(tree)))
    print(_size(tree))
    for word in args.words or []:
        found = [node for node in range(len(tree)) if word in (tree.ids[node], tree.names[node])]
        if not found:
            tree.index(word)  # says what there is
        for node in found:
            path = " > ".join(tree.names[each] for each in tree.path(node))
            below = [tree.names[each] for each in tree.children(node)]
            print(f"{tree.ids[node]}, node {node}: {path}" + (f"; below it {', '.join(below)}" if below else ""))


def _lists(merge: list[str]) -> dict[str, list[str]]:
    lists = {}
    for text in merge:
        name, equals, file = text.partition("=")
        if not (name.isidentifier() and equals and file) or name in lists:
            raise ValueError(f"--merge {text}: expected NAME=FILE, a name of letters and digits, each name once")
        lists[name] = read_ids(file)
    return lists


def _size(tree: WordTree) -> str:
    roots = ", ".join(tree.names[root] for root in tree.children(None)[:8])
    return (
        f"{len(tree)} nodes in {tree.num_groups} groups of siblings, {tree.levels} levels, {len(tree.leaves)} leaves; "
        f"at the top: {roots}"
    )

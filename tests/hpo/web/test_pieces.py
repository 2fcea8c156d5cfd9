"""What is told to many is made and packed once, and fits into every stream."""

import zlib

from hpo.web.pieces import GZIP_BEGINS, Piece, Pieces


def test_packed_pieces_follow_each_other_in_any_order() -> None:
    first, second = Piece(b"data: one two three one two three\n\n" * 50), Piece(b"data: one two three\n\n")
    for pieces in ((first, second), (second, second, first)):
        reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
        assert reader.decompress(GZIP_BEGINS) == b""
        for piece in pieces:  # each is whole as soon as it is there
            assert reader.decompress(piece.packed) == piece.plain
    assert len(first.packed) < len(first.plain) / 10


def test_a_piece_is_packed_once_and_old_ones_go() -> None:
    pieces = Pieces()
    piece = pieces.keep(0, Piece(b"x"))
    assert pieces.get(0) is piece
    assert piece.packed is piece.packed
    for key in range(1, 1000):
        pieces.keep(key, Piece(b"y"))
    assert pieces.get(0) is None
    assert pieces.get(999) is not None
    assert len(pieces._made) < 100


def test_large_pieces_are_not_all_kept() -> None:
    pieces = Pieces()
    for key in range(8):
        assert pieces.keep(key, Piece(bytes(9 << 20))).plain
    assert [key for key in range(8) if pieces.get(key)] == [7]

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamrl.maps import blocks


@given(st.integers(1, 400), st.integers(1, 10**6), st.integers(1, 30), st.integers(1, 10**8))
def test_slabs_cover_all_steps_once_in_whole_chunks_within_memory(count, per_step, multiple, memory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MEMORY", memory)
        slabs = list(blocks.steps(count, bytes_per_step=per_step, multiple=multiple))
    assert [i for s in slabs for i in range(s.start, s.stop)] == list(range(count))
    for slab in slabs[:-1]:
        length = slab.stop - slab.start
        assert length % multiple == 0
        assert length * per_step <= memory or length == multiple

"""GRIB 1 is read to the last bit whatever its grid and packing; any other form, and any damage, is refused by name."""

import resource
from fractions import Fraction
from pathlib import Path

import dask
import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamrl.drivers.formats import grib
from tamrl.errors import InputError

REAL = ["era5-2mt-2019-03-uk", "era5-single-level-scalar-time", "thermofeel_2t", "thermofeel_m2t", "thermofeel_cossza11"]
NEGATIVE_I, POSITIVE_J, BY_COLUMNS = 0x80, 0x40, 0x20
WITHIN = 1 << 30
"""Bytes that reading may take beside what the process has."""


def signed(value, octets):
    return (abs(value) | (1 << (8 * octets - 1) if value < 0 else 0)).to_bytes(octets, "big")


def section(body):
    return (len(body) + 3).to_bytes(3, "big") + body


def bits_of(numbers, bits):
    text = "".join(f"{n:0{bits}b}" for n in numbers) if bits else ""
    return bytes(int(text[k : k + 8].ljust(8, "0"), 2) for k in range(0, len(text), 8))


def product(
    *, at="2011-01-02T03:00", unit=1, steps=(0, 0), kind=0, bitmap=False, decimal=0, parameter=167, expver=b"0001", member=0
):
    date, (hour, minute) = at[:10].split("-"), at[11:].split(":")
    century, year = divmod(int(date[0]) - 1, 100)
    head = [128, 98, 145, 255, 0xC0 if bitmap else 0x80, parameter, 1, 0, 0, year + 1, int(date[1]), int(date[2])]
    head += [int(hour), int(minute), unit, *steps, kind, 0, 0, 0, century + 1, 0]
    return section(bytes(head) + signed(decimal, 2) + bytes(12) + bytes([1, 1, 2]) + b"\x04\x01" + expver + bytes([member, 0, 0]))


def area(*, rows, columns, first, last, west, east, mode=0, steps=(0, 0), form=0):
    """Section 2 from thousandths of degrees."""
    corners = signed(first, 3) + signed(west, 3) + bytes([0x80 if any(steps) else 0]) + signed(last, 3) + signed(east, 3)
    shape = columns.to_bytes(2, "big") + rows.to_bytes(2, "big")
    return section(
        bytes([0, 255, form]) + shape + corners + b"".join(s.to_bytes(2, "big") for s in steps) + bytes([mode]) + bytes(4)
    )


def values(numbers, *, bits=8, reference=0, scale=0, flags=0):
    """Section 4: whole numbers of `bits` bits, a whole number as reference."""
    ibm = bytes([(0x80 if reference < 0 else 0) | 70]) + abs(reference).to_bytes(3, "big")
    packed = bits_of(numbers, bits)
    packed += bytes(1 - len(packed) % 2)  # the section has an even number of octets
    unused = len(packed) * 8 - len(numbers) * bits
    return section(bytes([flags | unused]) + signed(scale, 2) + ibm + bytes([bits]) + packed)


def message(*sections, by_120=False, edition=1):
    size = 8 + sum(map(len, sections)) + 4
    if by_120:
        units = -(-(size - 4) // 120)
        sections = (*sections[:-1], (units * 120 + 4 - size).to_bytes(3, "big") + sections[-1][3:])
        size = 0x800000 | units
    return b"GRIB" + size.to_bytes(3, "big") + bytes([edition]) + b"".join(sections) + b"7777"


SMALL = {"rows": 2, "columns": 3, "first": 10_000, "last": 0, "west": 0, "east": 2000}
NUMBERS = [1, 2, 3, 4, 5, 6]


def simple(**changed):
    """A message of 2 x 3 points; `changed` replaces its sections or their keys."""
    grid = area(**(SMALL | {k: v for k, v in changed.items() if k in (*SMALL, "mode", "steps_of_grid", "form")}))
    parts = {"product": product(), "area": grid, "bitmap": b"", "data": values(NUMBERS)} | changed
    about = {k: v for k, v in changed.items() if k in ("edition", "by_120")}
    return message(*(parts[k] for k in ("product", "area", "bitmap", "data") if parts[k]), **about)


def read(folder: Path, content: bytes):
    path = folder / "a.grib"
    path.write_bytes(content)
    with dask.config.set(scheduler="synchronous"):
        return [next(iter(ds.values())).load() for ds in grib.open_grib(path)]


@st.composite
def fields(draw):
    """A field north-up and west-east as whole numbers, what is missing, where it lies (thousandths of degrees), its packing."""
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    bits = draw(st.integers(0, 32))
    points = st.lists(st.integers(0, 2**bits - 1), min_size=rows * columns, max_size=rows * columns)
    numbers = np.array(draw(points), dtype="uint64").reshape(rows, columns)
    mask = st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns)
    missing = draw(st.none() | mask.map(lambda m: np.array(m).reshape(rows, columns)))
    dy, dx = draw(st.integers(1, 10_000)), draw(st.integers(1, 50_000))
    north = draw(st.integers(-90_000 + dy * (rows - 1), 90_000))
    where = {"north": north, "west": draw(st.integers(-180_000, 359_999)), "dy": dy, "dx": dx}
    packing = {"bits": bits, "scale": draw(st.integers(-20, 20)), "reference": draw(st.integers(-(2**24) + 1, 2**24 - 1))}
    form = {
        "mode": draw(st.sampled_from(range(0, 256, 32))),
        "decimal": draw(st.integers(-4, 4)) if bits else 0,
        "by_120": draw(st.booleans()),
    }
    return numbers, missing, where, packing, form | {"increments": draw(st.booleans())}


def encoded(numbers, missing, where, packing, form):
    mode, (rows, columns) = form["mode"], numbers.shape
    south, east = where["north"] - where["dy"] * (rows - 1), where["west"] + where["dx"] * (columns - 1)
    first, last = (south, where["north"]) if mode & POSITIVE_J else (where["north"], south)
    from_, to = (east, where["west"]) if mode & NEGATIVE_I else (where["west"], east)

    def in_order(array):
        array = array[::-1] if mode & POSITIVE_J else array
        array = array[:, ::-1] if mode & NEGATIVE_I else array
        return (array.T if mode & BY_COLUMNS else array).ravel().tolist()

    steps = (where["dx"], where["dy"]) if form["increments"] else (0, 0)
    grid = area(rows=rows, columns=columns, first=first, last=last, west=from_, east=to, mode=mode, steps=steps)
    kept, bitmap = in_order(numbers), b""
    if missing is not None:
        present = [not m for m in in_order(missing)]
        kept = [n for n, p in zip(kept, present, strict=True) if p]
        bitmap = section(bytes([-len(present) % 8, 0, 0]) + bits_of(present, 1))
    about = product(bitmap=missing is not None, decimal=form["decimal"])
    return message(about, grid, *[bitmap] * bool(bitmap), values(kept, **packing), by_120=form["by_120"])


@given(fields())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_encoded_is_read_at_its_place(tmp_path, field):
    numbers, missing, where, packing, form = field
    (found,) = read(tmp_path, encoded(*field))
    factor, tens = Fraction(2) ** packing["scale"], Fraction(10) ** form["decimal"]
    expected = np.array([[float((packing["reference"] + int(n) * factor) / tens) for n in row] for row in numbers], "float32")
    expected = expected if missing is None else np.where(missing, np.float32(np.nan), expected)
    rows = slice(None, None, -1 if form["mode"] & POSITIVE_J else 1)
    columns = slice(None, None, -1 if form["mode"] & NEGATIVE_I else 1)
    np.testing.assert_allclose(found.values[0, rows, columns], expected, rtol=2e-7)
    lat = (where["north"] - where["dy"] * np.arange(numbers.shape[0])) / 1000
    lon = (where["west"] + where["dx"] * np.arange(numbers.shape[1])) / 1000
    np.testing.assert_allclose(found["lat"].values[rows], lat, atol=1e-6)
    off = (found["lon"].values[columns] - lon + 180) % 360 - 180
    np.testing.assert_allclose(off, 0, atol=1e-6)


@pytest.mark.parametrize("bits", range(33))
def test_numbers_of_any_width_are_exact(bits):
    numbers = np.random.default_rng(bits).integers(0, 2**bits, 1003, dtype="uint64")
    found = grib._whole_numbers(bits_of(numbers.tolist(), bits), numbers.size, bits)
    np.testing.assert_array_equal(found, numbers.astype("float64"))


@pytest.mark.parametrize(
    ("about", "expected", "kind"),
    [
        ({"kind": 0, "steps": (6, 0)}, "2011-01-02T09:00", "instant"),
        ({"kind": 1, "steps": (6, 9)}, "2011-01-02T03:00", "instant"),
        ({"kind": 2, "steps": (0, 3)}, "2011-01-02T06:00", "max"),
        ({"kind": 3, "steps": (0, 24)}, "2011-01-03T03:00", "avg"),
        ({"kind": 4, "steps": (0, 1), "at": "2011-12-31T23:00"}, "2012-01-01T00:00", "accum"),
        ({"kind": 5, "steps": (1, 2)}, "2011-01-02T05:00", "diff"),
        ({"kind": 10, "steps": (2, 208)}, "2011-02-01T03:00", "instant"),
        ({"kind": 123, "steps": (0, 0), "at": "2011-01-01T00:00"}, "2011-01-01T00:00", "avg"),
        ({"kind": 118, "steps": (0, 6)}, "2011-01-02T03:00", "time range 118"),
        ({"kind": 0, "steps": (30, 0), "unit": 0}, "2011-01-02T03:30", "instant"),
        ({"kind": 0, "steps": (2, 0), "unit": 2}, "2011-01-04T03:00", "instant"),
        ({"kind": 4, "steps": (0, 2), "unit": 10}, "2011-01-02T09:00", "accum"),
        ({"kind": 4, "steps": (0, 2), "unit": 11}, "2011-01-02T15:00", "accum"),
        ({"kind": 4, "steps": (0, 2), "unit": 12}, "2011-01-03T03:00", "accum"),
        ({"kind": 0, "steps": (3, 0), "unit": 13}, "2011-01-02T03:45", "instant"),
        ({"kind": 0, "steps": (3, 0), "unit": 14}, "2011-01-02T04:30", "instant"),
        ({"kind": 0, "steps": (90, 0), "unit": 254}, "2011-01-02T03:01:30", "instant"),
        ({"kind": 0, "steps": (0, 0), "unit": 3}, "2011-01-02T03:00", "instant"),
        ({"at": "2000-02-29T00:00"}, "2000-02-29T00:00", "instant"),
        ({"at": "1900-12-31T00:00"}, "1900-12-31T00:00", "instant"),
    ],
)
def test_a_field_stands_at_the_time_it_is_valid_at(tmp_path, about, expected, kind):
    (found,) = read(tmp_path, simple(product=product(**about)))
    assert found["time"].values.tolist() == np.array([expected], "datetime64[ns]").tolist()
    assert found.attrs["GRIB_stepType"] == kind


def test_a_field_above_8_mb_is_read(tmp_path):
    """The length's first bit says that it counts units of 120 octets; section 4 says how many octets are too many."""
    rows, columns = 2049, 4100
    numbers = np.random.default_rng(1).integers(0, 256, rows * columns).astype("uint8")
    data = section(bytes([0, 0, 0, 70, 0, 1, 0, 8]) + numbers.tobytes())
    grid = area(rows=rows, columns=columns, first=20_490, last=10, west=0, east=40_990, steps=(10, 10))
    content = message(product(), grid, data, by_120=True)
    (found,) = read(tmp_path, content + bytes(24) + simple())[:1]
    np.testing.assert_array_equal(found.values[0], 256.0 + numbers.reshape(rows, columns))
    with pytest.raises(InputError, match="missing"):
        read(tmp_path, content[:-5])


def test_messages_after_padding_form_one_series_per_variable_and_grid(tmp_path):
    later, other = product(at="2011-01-02T04:00"), product(parameter=168)
    content = bytes(9000).join([simple(), simple(product=other), simple(product=later, by_120=True)]) + bytes(5)
    found = {da.name: da for da in read(tmp_path, content)}
    assert {name: da.sizes["time"] for name, da in found.items()} == {"t2m": 2, "d2m": 1}
    assert found["t2m"].values[1].ravel().tolist() == NUMBERS


@pytest.mark.parametrize("name", REAL)
def test_real_files_agree_with_gdal(shared_data, name):
    path = shared_data / f"era5/{name}.grib"
    (ds,) = grib.open_grib(path)
    (ours,) = ds.values()
    with rasterio.Env(GRIB_NORMALIZE_UNITS="NO", GRIB_ADJUST_LONGITUDE_RANGE="NO"), rasterio.open(path) as file:
        times = [np.datetime64(int(file.tags(k)["GRIB_VALID_TIME"]), "s") for k in file.indexes]
        bands = file.read(range(1, min(file.count, 30) + 1))
    np.testing.assert_array_equal(ours["time"].values, np.array(times, "datetime64[ns]"))
    np.testing.assert_allclose(ours[:30].values, bands, rtol=2e-7)


BITMAP = section(bytes([2, 0, 0, 0xFC]))
INTACT = {
    "edition 2": ("GRIB edition 2", {"edition": 2}),
    "edition 3": ("GRIB edition 3", {"edition": 3}),
    "second order": ("second-order packing", {"data": values(NUMBERS, flags=0x40)}),
    "harmonics": ("spherical harmonics", {"data": values(NUMBERS, flags=0x80)}),
    "spectral": ("spherical harmonics", {"form": 50}),
    "matrix": ("matrix", {"data": values(NUMBERS, flags=0x10)}),
    "Gaussian": ("Gaussian", {"form": 4}),
    "rotated": ("rotated", {"form": 10}),
    "local form": ("representation 203", {"form": 203}),
    "reduced": ("reduced grid", {"columns": 0xFFFF}),
    "alternating rows": ("scanning mode 00010000", {"mode": 0x10}),
    "grid by number": ("grid by catalogue", {"product": bytearray(product())}),
    "bitmap by number": ("bitmap by catalogue", {"product": product(bitmap=True), "bitmap": section(bytes([2, 0, 1, 0xFC]))}),
    "constant": ("constant field", {"product": product(decimal=3), "data": values([], bits=0, reference=1000)}),
    "wide numbers": ("64 bits", {"data": values(NUMBERS, bits=64)}),
    "decades": ("time unit 5", {"product": product(unit=5, steps=(1, 0))}),
    "experiment": ("expver", {"product": product(expver=b"hres")}),
    "too large": ("points", {"rows": 65534, "columns": 65534, "data": values([], bits=0)}),
}
INTACT["grid by number"][1]["product"][7] = 0


@pytest.mark.parametrize("name", INTACT)
def test_an_intact_file_of_another_form_is_named_and_not_to_be_fetched_again(tmp_path, name):
    words, changed = INTACT[name]
    with pytest.raises(InputError, match=words) as error:
        read(tmp_path, simple(**changed))
    assert "fetch" not in str(error.value) and "NetCDF" in error.value.todo and "a.grib" in str(error.value)


def test_members_of_an_ensemble_are_not_mixed(tmp_path):
    content = b"".join(simple(product=product(member=k)) for k in (0, 1))
    with pytest.raises(InputError, match="members 0 to 1") as error:
        read(tmp_path, content)
    assert "fetch" not in str(error.value)


def shorter(content, at, octets):
    """The message with the length of the section at `at` set to `octets`."""
    return content[:at] + octets.to_bytes(3, "big") + content[at + 3 :]


AREA_AT, DATA_AT = 8 + 52, 8 + 52 + 32
DAMAGED = {
    "junk between": ("instead of a message", simple() + b"HTTP/1.1 200 OK" + simple()),
    "junk behind": ("instead of a message", simple() + b"\n"),
    "cut": ("missing", (simple() * 3)[:-7]),
    "cut in the head": ("missing", simple() + b"GRIB\0"),
    "no end": ("does not end with 7777", simple()[:-4] + b"77 7"),
    "length 0": ("missing|fit", shorter(simple(), 4, 0)),
    "length too large": ("fit", shorter(simple(), 4, 2**23 - 1)),
    "length of 1 GB": ("missing", shorter(shorter(simple(), 4, 2**24 - 1), DATA_AT, 7)),
    "section 1 empty": ("a section of 0", shorter(simple(), 8, 0)),
    "section 1 too long": ("missing", shorter(simple(), 8, 2**24 - 1)),
    "section 2 empty": ("a section of 0", shorter(simple(), AREA_AT, 0)),
    "section 4 empty": ("fit", shorter(simple(), DATA_AT, 0)),
    "section 4 too long": ("fit", shorter(simple(), DATA_AT, 30)),
    "fewer values": ("fewer values", simple(data=values(NUMBERS[:5]))),
    "more values": ("more values", simple(data=values(NUMBERS * 4))),
    "bitmap of another size": ("bitmap", simple(product=product(bitmap=True), bitmap=section(bytes([1, 0, 0, 0xFC])))),
    "bitmap empty": ("fit", simple(product=product(bitmap=True), bitmap=section(b""))),
    "no columns": ("points", simple(columns=0)),
    "month 0": ("month", simple(product=product(at="2011-00-02T03:00"))),
    "31 June": ("day", simple(product=product(at="2011-06-31T03:00"))),
    "hour 25": ("hour", simple(product=product(at="2011-06-30T25:00"))),
    "year 0": ("year", simple(product=product(at="0101-06-30T00:00"))),
    "decimal scale": ("decimal", simple(product=product(decimal=32767))),
    "negative decimal scale": ("decimal", simple(product=product(decimal=-32767))),
    "binary scale": ("binary scale", simple(data=values(NUMBERS, scale=32767))),
    "latitude 95": ("latitudes", simple(first=95_000)),
    "latitudes backwards": ("latitudes", simple(mode=POSITIVE_J)),
    "columns that do not fill the grid": ("do not fill", simple(area=area(**SMALL, steps=(2000, 10_000)))),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_by_name(tmp_path, name):
    words, content = DAMAGED[name]
    with pytest.raises(InputError, match=words) as error:
        read(tmp_path, content)
    assert "a.grib" in str(error.value)


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_a_message_is_cut(tmp_path, data):
    """Between two messages nothing tells; there the time axis must."""
    content = simple() * 3
    length = data.draw(st.integers(4, len(content) - 1))
    if length % len(simple()):
        with pytest.raises(InputError, match=r"a\.grib"):
            read(tmp_path, content[:length])


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_cut_is_refused(shared_data, tmp_path, name):
    content = (shared_data / f"era5/{name}.grib").read_bytes().rstrip(bytes(1))
    for length in (len(content) // 3 - 1007, len(content) * 9 // 10 - 1007, len(content) - 2):
        with pytest.raises(InputError, match=r"a\.grib"):
            read(tmp_path, content[:length])


@pytest.fixture
def little_memory():
    """The process may take little more memory than it has: what is set aside for a false length fails."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + WITHIN, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_no_mutation_crashes_or_takes_memory(tmp_path, little_memory):
    """Octets changed, cut out or cut off: read, or refused by name (a `MachineError` for memory would fail here)."""
    good = simple() + bytes(6) + simple(product=product(bitmap=True, at="2011-01-02T04:00"), bitmap=BITMAP, by_120=True)
    rng, outcomes = np.random.default_rng(5), {"read": 0, "refused": 0}
    for k in range(400):
        content = bytearray(good)
        if k % 8 == 0:
            del content[rng.integers(len(content)) :]
        elif k % 8 == 1:
            at = rng.integers(len(content))
            del content[at : at + rng.integers(1, 40)]
        else:
            for at in rng.integers(len(content), size=k % 3 + 1):
                content[at] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        try:
            read(tmp_path, bytes(content))
            outcomes["read"] += 1
        except InputError as error:
            assert "a.grib" in str(error)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 40, outcomes


def test_constant_fields_take_no_more_room_than_their_file_may_have(tmp_path):
    large = {"rows": 5000, "columns": 6000, "first": 90_000, "last": -90_000, "west": 0, "east": 359_000}
    content = simple(**large, data=values([], bits=0, reference=1))
    (found,) = read(tmp_path, content)
    assert found.shape == (1, 5000, 6000) and (found == found[0, 0, 0]).all()
    with pytest.raises(InputError, match=r"a\.grib[\s\S]*points of constant fields"):
        read(tmp_path, content * 2)

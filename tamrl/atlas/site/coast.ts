// Coastlines for closer looks (Natural Earth 1:50 million, public domain), loaded when they are needed.
import land from "world-atlas/land-50m.json";
import "./load";

window.ATLAS.put("coast", land);

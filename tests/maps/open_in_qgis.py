"""Open rasters in QGIS without a screen, ask for a value, draw a picture; run by the system's Python. Prints JSON."""

import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")

from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsPointXY, QgsRaster, QgsRasterLayer
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

PLACE = QgsPointXY(25, 45)


def look(source: str, picture: str) -> dict:
    """What QGIS sees of a raster: bands, place, a value, its renderer and the number of colours of a drawing."""
    layer = QgsRasterLayer(source, "layer", "gdal")
    if not layer.isValid():
        raise SystemExit(f"QGIS cannot open {source}: {layer.error().message()}")
    found = layer.dataProvider().identify(PLACE, QgsRaster.IdentifyFormatValue).results()
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(720, 360))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(picture)
    extent = layer.extent()
    return {
        "bands": layer.bandCount(),
        "crs": layer.crs().authid(),
        "extent": [round(v, 6) for v in (extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum())],
        "value": found[1],
        "renderer": layer.renderer().type(),
        "colours": len({image.pixel(x, y) for x in range(0, 720, 2) for y in range(0, 360, 2)}),
    }


QgsApplication.setPrefixPath("/usr", True)
application = QgsApplication([], False)
application.initQgis()
answers = [look(source, sys.argv[1]) for source in sys.argv[2:]]
application.exitQgis()
print(json.dumps(answers))

"""YOLOv2 and YOLO9000, rebuilt: the package under the course."""

__version__ = "0.1.0"

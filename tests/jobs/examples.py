# ruff: noqa: W291 - blanks at the ends of lines are part of the examples
"""The documents' example requests, to the letter; only their hosts are ours.

Each text is what follows ``curl … -d`` there, or the Python client's parameters.
"""

#: Generating Thumbnails: a clip, and pictures at 15% and 50%.
THUMBNAILS = """\
{"query": {
        "source": "https://qa.qencode.com/static/test_mini.mp4",
        "format": [
             {
                    "output": "mp4",
                    "destination": {
                      "url":"s3://nyc3.digitaloceanspaces.com/qencode3/test/test_mini.mp4",
                      "key":"abcde12345",
                      "secret":"abcde12345",
                      "permissions": "public-read"
                    },
                     "framerate": "29.97",
                     "keyframe": "25",
                     "file_extension": "mp4",
                     "size": "360x240",
                     "start_time": "10",
                     "duration": "20"
                   },
                   {
                     "output": "thumbnail",
                     "time": "0.15",
                     "width": "320",
                     "height": "240",
                     "destination": {
                       "url":"s3://nyc3.digitaloceanspaces.com/qencode3/test/thumb/15_320x240.png",
                       "key":"abcde12345",
                       "secret":"abcde12345",
                       "permissions": "public-read"
                      },
                     "user_tag": "15_320x240"
                    },
                   {
                     "output": "thumbnail",
                     "time": "0.50",
                     "width": "320",
                     "height": "240",
                     "destination": {
                       "url":"s3://nyc3.digitaloceanspaces.com/qencode3/test/thumb/50_320x240.png",
                       "key":"abcde12345",
                       "secret":"abcde12345",
                       "permissions": "public-read"
                      },
                     "user_tag": "50_320x240"
                    }
                  ]
                }
              }
"""

#: Generating Thumbnails: a picture without a destination, on its own.
THUMBNAIL = """\
      {
        "output": "thumbnail",
        "time": "0.15",
        "width": "920",
        "height": "500",
        "destination": "",
        "user_tag": "15_920x500"
      }
"""

#: Interval-based Thumbnails: the format on its own, and the request.
INTERVAL = """\
      {
        "output" : "thumbnails",
        "destination": {
          "url":"s3://nyc3.digitaloceanspaces.com/qencode3/test/thumb/bbb/",
          "key":"abcde12345",
          "secret":"abcde12345",
          "permissions": "public-read"
        },
        "interval": 30,
        "width" : 320,
        "height" : 240
      }
"""
INTERVALS = """\
{"query": {
            "source": "https://nyc3.digitaloceanspaces.com/qencode/bbb_sunflower_1080p_60fps_normal_339mb.mp4",
            "format": [
              {
                "output": "mp4",
                "destination": {
                  "url":"s3://nyc3.digitaloceanspaces.com/qencode3/test/bbb.mp4",
                  "key":"abcde12345",
                  "secret":"abcde12345",
                  "permissions": "public-read"
                },
                "file_extension": "mp4",
                "size": "320x240",
                "duration": 60
              },
              {
               "output" : "thumbnails",
               "destination": {
                  "url":"s3://nyc3.digitaloceanspaces.com/qencode3/test/thumb/bbb/",
                  "key":"abcde12345",
                  "secret":"abcde12345",
                  "permissions": "public-read"
                },
                "interval": 30,
                "width" : 320,
                "height" : 240
              }
            ]
          }
        } 
"""

#: Stitching videos: the list.
STITCH = """\
[
            {"url" : "https://yourserver.com/video1.mp4"},
            {
             "url" : "https://yourserver.com/video2.mp4", 
            "start_time": "120.0", 
            "duration": "60.57"
            }
          ]
"""

#: Transcoding API, Starting a Task: the request, and the Python client's.
CLIP = """\
{"query": {
"source": "https://your-server.com/video.mp4",
"format": [
{
"output": "mp4",
"destination": {
"url":"s3://us-west.s3.qencode.com/yourbucket/output.mp4",
"key":"abcde12345",
"secret":"abcde12345",
"permissions": "public-read"
},
"framerate": "29.97",
"keyframe": "25",
"size": "360x240",
"start_time": 10,
"duration": 20,
"audio_bitrate": 64
}
]
}
}
"""
CUSTOM = """
{"query": {
"source": "https://your-server.com/video.mp4",
"format": [
{
"output": "mp4",
"size": "320x240",
"video_codec": "libx264"
}
]
}
}
"""

#: Transcoding API, Direct Video Upload: ``%s`` is the uploaded file.
UPLOADED = """
{"query": {
"source": "%s",
"format": [
{
"output": "mp4",
"size": "320x240",
"video_codec": "libx264"
}
]
}
}
"""

_SOURCES = (
    "https://qa.qencode.com/static/",
    "https://nyc3.digitaloceanspaces.com/qencode/",
    "https://yourserver.com/",
    "https://your-server.com/",
)
_BUCKETS = ("s3://nyc3.digitaloceanspaces.com/", "s3://us-west.s3.qencode.com/")


def here(text: str, sources: str, buckets: str) -> str:
    """An example with its sources under one address and its buckets at another."""
    for known in _SOURCES:
        text = text.replace(known, f"{sources}/")
    for known in _BUCKETS:
        text = text.replace(known, f"{buckets}/")
    return text

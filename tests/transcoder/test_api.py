async def test_encode(client):
    _, status = await client.encode(
        b"x" * 1000,
        [{"output": "mp4"}, {"output": "thumbnails", "interval": 10}, {"output": "metadata"}],
        payload="p",
    )
    assert status["status"] == "completed"
    async with client.http.get(status["videos"][0]["url"]) as r:
        assert r.status == 200

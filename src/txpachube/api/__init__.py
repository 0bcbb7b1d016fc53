"""The v2 API as data: requests and answers, paths, formats, credentials and parameters, for both sides."""

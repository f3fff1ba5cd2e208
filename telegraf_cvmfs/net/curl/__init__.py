"""The transport of libcurl, by pycurl."""

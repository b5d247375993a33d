// What runs when no file is named. conf/dolphin.conf holds the same text, so that there is something to start from.

export const defaultConf = `# What dolphin runs when it is started without a file: RTMP on port 1935, HTTP-FLV on port 8080, the HTTP API on port 1985 where that is
# free, every core.
#
#   publish  rtmp://HOST/live/livestream
#   play     rtmp://HOST/live/livestream    http://HOST:8080/live/livestream.flv
#   look     http://HOST:1985/api/v1/summaries
listen              1935;
daemon              off;
srs_log_tank        console;
pid                 off;

http_server {
    enabled         on;
    listen          8080;
}

http_api {
    enabled         on;
    listen          1985;
}

vhost __defaultVhost__ {
    http_remux {
        enabled     on;
        mount       [vhost]/[app]/[stream].flv;
    }
}
`;

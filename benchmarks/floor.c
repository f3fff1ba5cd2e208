/* The least a scrape can cost: fetch the same documents from every server at once, each over a few kept connections,
 * one request at a time on each, and look for nothing but the revisions.
 *
 * floor PATHS ADDRESS:PORT...
 *
 * PATHS names a file with a path on each line. The first one is asked for alone, as a client that does not know the
 * others yet must. Prints "address:port path revision" for every answer that is a manifest.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 8, MOST_PATHS = 100000, ROOM = 1 << 20, EVENTS = 64 };

struct server {
    const char *name;
    int next; /* of the paths */
};

struct connection {
    struct server *server;
    int socket, path;
    size_t length;
    char *answer;
};

static char *paths[MOST_PATHS];
static int path_count, poller, open_connections;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void read_paths(const char *name) {
    FILE *file = fopen(name, "r");
    if (!file) fail(name);
    size_t size = 0;
    for (char *line = NULL; path_count < MOST_PATHS && getline(&line, &size, file) > 0; line = NULL, size = 0) {
        line[strcspn(line, "\n")] = 0;
        paths[path_count++] = line;
    }
    fclose(file);
}

static void ask(struct connection *self) {
    char request[1024];
    self->path = self->server->next++;
    self->length = 0;
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", paths[self->path],
                          self->server->name);
    if (send(self->socket, request, length, MSG_NOSIGNAL) != length) fail("send");
}

static void open_connection(struct server *server) {
    struct connection *self = calloc(1, sizeof *self);
    struct sockaddr_in where = {.sin_family = AF_INET};
    char address[64];
    snprintf(address, sizeof address, "%s", server->name);
    char *colon = strchr(address, ':');
    *colon = 0;
    where.sin_port = htons(atoi(colon + 1));
    inet_pton(AF_INET, address, &where.sin_addr);
    self->server = server;
    self->answer = malloc(ROOM);
    self->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(self->socket, (struct sockaddr *)&where, sizeof where); /* epoll tells when it is, or that it failed */
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = self};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, self->socket, &event)) fail("epoll_ctl");
    open_connections++;
}

static void close_connection(struct connection *self) {
    close(self->socket);
    free(self->answer);
    free(self);
    open_connections--;
}

static void connected(struct connection *self) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};
    epoll_ctl(poller, EPOLL_CTL_MOD, self->socket, &event);
    if (self->server->next < path_count) ask(self);
    else close_connection(self);
}

/* Is the answer complete? */
static int complete(struct connection *self) {
    self->answer[self->length] = 0;
    char *body = strstr(self->answer, "\r\n\r\n");
    char *length = strcasestr(self->answer, "\r\ncontent-length:");
    if (!body || !length) return 0;
    return self->length >= (size_t)(body + 4 - self->answer) + strtoul(length + 17, NULL, 10);
}

static void answered(struct connection *self) {
    if (strncmp(self->answer, "HTTP/1.1 200", 12)) fail(paths[self->path]);
    char *revision = strstr(strstr(self->answer, "\r\n\r\n") + 4, "\nS");
    if (revision && strstr(paths[self->path], "/.cvmfspublished"))
        printf("%s %s %ld\n", self->server->name, paths[self->path], strtol(revision + 2, NULL, 10));
    if (self->path == 0)
        for (int more = 1; more < CONNECTIONS; more++) open_connection(self->server);
    if (self->server->next < path_count) ask(self);
    else close_connection(self);
}

static void readable(struct connection *self) {
    ssize_t got = recv(self->socket, self->answer + self->length, ROOM - 1 - self->length, 0);
    if (got <= 0) fail(self->server->name);
    self->length += got;
    if (complete(self)) answered(self);
}

int main(int count, char **words) {
    if (count < 3) return 2;
    read_paths(words[1]);
    poller = epoll_create1(0);
    struct server *servers = calloc(count, sizeof *servers);
    for (int i = 2; i < count; i++) {
        servers[i].name = words[i];
        open_connection(&servers[i]);
    }
    struct epoll_event events[EVENTS];
    while (open_connections) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].events & EPOLLOUT) connected(events[i].data.ptr);
            else readable(events[i].data.ptr);
        }
    }
    return 0;
}

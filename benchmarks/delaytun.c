/* A wire with a length: two TUN devices, one here and one in a network namespace. What is sent into one comes out of
 * the other after a fixed time, in order. For kernels whose traffic control has no netem.
 *
 * delaytun MICROSECONDS_ONE_WAY NAMESPACE_FILE DEVICE_HERE DEVICE_THERE
 *
 * It needs root and /dev/net/tun, and runs until it is ended; the devices go with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKETS = 1 << 16, LARGEST = 2048 };

struct packet {
    long long due; /* ns */
    ssize_t length;
    char bytes[LARGEST];
};

/* One direction: a ring of packets on their way. */
struct way {
    struct packet *packets;
    unsigned in, out;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int open_device(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (device < 0 || ioctl(device, TUNSETIFF, &request)) fail(name);
    return device;
}

/* Hand over what has arrived; when the next packet does, or -1. */
static long long deliver(struct way *way, int to) {
    for (; way->out != way->in; way->out++) {
        struct packet *packet = &way->packets[way->out % PACKETS];
        if (packet->due > now()) return packet->due;
        /* EIO: the device is not up yet, and what the kernel says by itself to greet a new one may be lost. */
        if (write(to, packet->bytes, packet->length) < 0 && errno != EIO) perror("lost");
    }
    return -1;
}

static void accept_packets(struct way *way, int from, long long delay) {
    while (way->in - way->out < PACKETS) {
        struct packet *packet = &way->packets[way->in % PACKETS];
        packet->length = read(from, packet->bytes, LARGEST);
        if (packet->length <= 0) return;
        packet->due = now() + delay;
        way->in++;
    }
}

static void wait_until(long long due, struct pollfd *devices) {
    long long left = due - now() > 0 ? due - now() : 0;
    struct timespec time = {left / 1000000000, left % 1000000000};
    ppoll(devices, 2, due < 0 ? NULL : &time, NULL);
}

int main(int count, char **words) {
    if (count != 5) return 2;
    long long delay = atoll(words[1]) * 1000;
    struct pollfd devices[2] = {{.events = POLLIN}, {.events = POLLIN}};
    struct way ways[2] = {{0}};
    devices[0].fd = open_device(words[3]);
    int namespace = open(words[2], O_RDONLY);
    if (namespace < 0 || setns(namespace, CLONE_NEWNET)) fail(words[2]);
    devices[1].fd = open_device(words[4]);
    for (int i = 0; i < 2; i++) ways[i].packets = malloc(sizeof(struct packet) * PACKETS);
    for (;;) {
        long long first = deliver(&ways[0], devices[1].fd), second = deliver(&ways[1], devices[0].fd);
        wait_until(first < 0 || (second >= 0 && second < first) ? second : first, devices);
        for (int i = 0; i < 2; i++) accept_packets(&ways[i], devices[i].fd, delay);
    }
}

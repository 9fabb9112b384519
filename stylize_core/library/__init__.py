"""What a program calls that has pictures and wants one: files in, a picture made, a file out."""
